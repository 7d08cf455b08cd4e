/** Rooms: what people say of them, and what is kept of it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { MemoryDisk } from '../../broker/store/memory.ts';
import type { ResultMessage } from '../../shared/schemas/fabric.ts';
import { roomLimits } from '../../shared/schemas/room.ts';
import { isOf, roomsRig as rig } from '../fixture/rooms-rig.ts';

const rooms = suite('heat: rooms');

rooms('a room comes into being by a set, is on the disk before it is accepted, and everybody sees it', () => {
  const it = rig();
  it.say('attic/set/target_c', '21.5');
  assert.equal(it.broker.published, [], 'not before the sync');
  it.sync();
  assert.equal(it.own('attic'), { target_c: 21.5, rev: 1 });
  assert.equal(
    it.broker.published.map(({ topic }) => topic.slice('hearth/room/attic/'.length)),
    ['own', 'status', 'result'],
    'who reads own after his answer finds what he set',
  );
  assert.is(it.broker.retained.get('hearth/room/attic/status'), 'offline');
  assert.equal(it.changed, ['attic document']);
  const { ok, part, key, value, rev, by } =
    it.broker.last<ResultMessage>('hearth/room/attic/result') ?? ({} as ResultMessage);
  assert.equal(
    { ok, part, key, value, rev, by },
    { ok: true, part: 'set', key: 'target_c', value: '21.5', rev: 1, by: 'person' },
  );
  const patch = { mode: 'heat', target_c: null, presets: { eco: 16 }, thermometer: 'zigbee/attic', tx: 'm1' };
  const answer = it.ask('attic/set', JSON.stringify(patch));
  assert.equal([answer?.ok, answer?.tx, answer?.rev], [true, 'm1', 2]);
  assert.equal(it.own('attic'), {
    mode: 'heat',
    presets: { eco: 16 },
    thermometer: { topic: 'zigbee/attic', broker: 'own' },
    rev: 2,
  });
  assert.ok(it.ask('attic/set/presets/eco')?.ok, 'an empty payload clears');
  assert.equal(it.own('attic')?.presets, {});
  assert.ok(it.ask('bare/set', '{}')?.ok);
  assert.equal(it.own('bare'), { rev: 4 });
  assert.is(it.ask('bare/set', '{}')?.rev, 4, 'again it is the same room');
});

rooms('a patch may name the keys of every form that a thermometer has', () => {
  const it = rig();
  for (const thermometer of [
    { node: 'n1', sensor: 'w1_28_0316a2797d11_c' },
    { topic: 'a/b', template: 'value_json.t' },
  ]) {
    it.ask('r/set/thermometer');
    const answer = it.ask('r/set', JSON.stringify({ thermometer }));
    assert.ok(answer?.ok, answer?.error);
  }
  const wrong = it.ask('r/set', JSON.stringify({ thermometer: { topics: 'a/b' } }));
  assert.match(wrong?.error ?? '', 'did you mean "topic"');
  assert.ok(it.ask('r/set/thermometer/stale_min', '30')?.ok);
  assert.ok(it.ask('r/set/filler', 'boinc')?.ok, 'a name of a service');
  assert.ok(it.ask('r/set/filler', '{"run":["nice","./fold"]}')?.ok);
  assert.equal(it.own('r')?.filler, { run: ['nice', './fold'] });
});

rooms('what is wrong is answered in a sentence, and changes nothing', () => {
  const it = rig();
  it.ask('attic/set/target_c', '21');
  const why = (path: string, payload: string | Uint8Array = '') => {
    const answer = it.ask(path, payload);
    assert.is(answer?.ok, false, path);
    return answer?.error ?? '';
  };
  assert.match(why('attic/set/target_c', '35'), 'target_c: at most 30 °C');
  assert.match(why('attic/set/target_c', 'warm'), 'not a number');
  assert.match(why('attic/set/target_c', 'Infinity'), 'not a number');
  assert.match(why('attic/set/target', '20'), 'did you mean "target_c"');
  assert.match(why('attic/set/tz', 'Mars/Olympus'), 'not a time zone');
  assert.match(why('attic/set/schedule', '[{"at":"25:00","preset":"eco"}]'), 'HH:MM');
  assert.match(why('attic/set/schedule', '[{"at":"05:00"}]'), 'say one of');
  assert.match(why('attic/set/rules', '[{"if":"prise > 1","add_c":1}]'), 'rules.0.if: there is no "prise" here');
  assert.match(why('attic/set', ''), 'empty');
  assert.match(why('attic/set', '{"rev":0,"mode":"heat"}'), 'stale');
  assert.match(why('attic/set', '[1]'), 'takes a JSON object');
  assert.match(why('attic/set', new Uint8Array([0xff, 0xfe])), 'UTF-8');
  assert.match(why('attic/set', '{"__proto__":{"mode":"heat"}}'), '__proto__');
  assert.match(why('attic/set/thermometer', 'a/+/b'), 'a topic name has no "+"');
  const template = JSON.stringify({ topic: 'a', template: 'value_json.t +' });
  assert.match(why('attic/set/thermometer', template), 'thermometer.template: ');
  assert.match(why('attic/set/filler', './fold --all'), 'a command goes in');
  assert.match(
    why(
      'attic/set/filler',
      JSON.stringify({
        run: 'true',
        env: {
          A: 'x'.repeat(4000),
          B: 'x'.repeat(4000),
          C: 'x'.repeat(4000),
          D: 'x'.repeat(4000),
          E: 'x'.repeat(4000),
        },
      }),
    ),
    '20000 characters',
  );
  assert.match(why('cellar/set/target'), 'no room "cellar"');
  assert.match(why('attik/do/forget'), 'did you mean "attic"');
  assert.match(why('attic/do/forgot'), 'did you mean "forget"');
  assert.match(why('attic/do/heat'), 'known is forget');
  assert.match(why('attic/do/forget', 'now'), 'no argument');
  assert.equal(it.own('attic'), { target_c: 21, rev: 1 });
  assert.is(it.journal.rev, 1);
});

rooms('there are so many rooms, and no more', () => {
  const it = rig();
  for (let n = 0; n < roomLimits.rooms; n++) it.ask(`r${n}/set`, '{}');
  assert.match(it.ask('more/set', '{}')?.error ?? '', 'rooms already');
  assert.ok(it.ask('r7/do/forget', 'PRESS')?.ok);
  assert.ok(it.ask('more/set', '{}')?.ok);
});

rooms('forgotten: answered twice, and nothing of it is left, on the broker or on the disk', () => {
  const it = rig();
  it.ask('attic/set/target_c', '21');
  it.under.say('attic', isOf('attic'), true);
  it.say('attic/in/temp_c', '20');
  assert.is(it.retained().length, 3);
  const from = it.broker.published.length;
  it.ask('attic/do/forget', '{"tx":"t"}');
  const results = it.broker.published.slice(from).filter(({ topic }) => topic.endsWith('/result'));
  assert.equal(
    results.map(({ text }) => JSON.parse(text)).map(({ ok, state, rev, tx }) => ({ ok, state, rev, tx })),
    ['accepted', 'finished'].map(state => ({ ok: true, state, rev: 2, tx: 't' })),
  );
  assert.equal(it.retained(), []);
  assert.equal(
    [...it.disk.keys()].filter(key => key.startsWith('room/')),
    [],
  );
  assert.is(it.under.latest('attic', 'temp_c'), undefined);
  it.under.say('attic', isOf('attic'), true);
  it.clock.advance(60_000);
  assert.equal(it.retained(), [], 'nor does it come back');
});

rooms('killed between the write and the answer: what was on the disk is there, what was not never was', () => {
  const first = rig();
  first.ask('attic/set', '{"mode":"heat","target_c":21}');
  first.say('attic/set/target_c', '25');
  first.store.kill();
  first.sync();
  assert.equal(first.own('attic'), { mode: 'heat', target_c: 21, rev: 1 });
  const second = rig({ disk: first.disk, broker: first.broker, clock: first.clock });
  assert.is(second.loaded(), '');
  assert.equal(second.under.entries().get('attic')?.document, { mode: 'heat', target_c: 21 });
  assert.is(second.ask('attic/set/target_c', '22')?.rev, 2);
});

rooms('a disk that is full: refused, taken back, and heard again when there is room', () => {
  const it = rig();
  it.ask('attic/set/target_c', '21');
  it.store.failWrites(new Error('no space'));
  assert.match(it.ask('attic/set/target_c', '22')?.error ?? '', 'no space');
  assert.is(it.journal.rooms.get('attic')?.document.target_c, 21);
  assert.match(it.ask('cellar/set', '{}')?.error ?? '', 'no space');
  assert.not(it.journal.rooms.has('cellar'));
  assert.match(it.ask('attic/do/forget')?.error ?? '', 'no space');
  assert.equal(it.own('attic'), { target_c: 21, rev: 1 });
  assert.equal([...it.under.entries().keys()], ['attic']);
  it.store.failWrites(undefined);
  assert.ok(it.ask('attic/set/target_c', '22')?.ok);
  assert.equal(it.own('attic'), { target_c: 22, rev: 2 });
});

rooms('a damaged room on the disk stops the start with its key', () => {
  for (const [key, value] of [
    ['room/attic', '{"document":{"target_c":99},"rev":1}'],
    ['room/attic', '{'],
    ['room/ATTIC', '{"document":{},"rev":0}'],
    ['room/attic', '{"document":{},"rev":7}'],
  ] as const) {
    const disk: MemoryDisk = new Map([
      ['meta/format', '3'],
      ['meta/gen', '0'],
      ['meta/rev', '1'],
      [key, value],
    ]);
    assert.match(rig({ disk }).loaded() ?? '', key);
  }
});

rooms.run();
