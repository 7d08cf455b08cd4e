/** Rooms on a bus and a disk of the test's own: what people say, what is measured, what everybody sees. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Journal } from '../../broker/desired/journal.ts';
import { Rooms } from '../../broker/heat/rooms/rooms.ts';
import { Answers } from '../../broker/orders/answers.ts';
import { createMemoryStore, type MemoryDisk } from '../../broker/store/memory.ts';
import { silentLog } from '../../shared/log.ts';
import type { ResultMessage } from '../../shared/schemas/fabric.ts';
import { type RoomIs, roomIsPayload, roomLimits, roomOwnPayload } from '../../shared/schemas/room.ts';
import { parseTopic } from '../../shared/topics.ts';
import { type ManualClock, manualClock } from '../fixture/manual-clock.ts';
import { type MemoryBroker, memoryBroker } from '../fixture/memory-bus.ts';

const rooms = suite('heat: rooms');

interface Options {
  readonly kind?: 'embedded' | 'outside';
  readonly disk?: MemoryDisk;
  readonly broker?: MemoryBroker;
  readonly clock?: ManualClock;
}

function rig(options: Options = {}) {
  const broker = options.broker ?? memoryBroker(options.kind ?? 'embedded');
  const clock = options.clock ?? manualClock();
  const queue: (() => void)[] = [];
  const disk = options.disk ?? new Map();
  const store = createMemoryStore({ disk, later: run => void queue.push(run) });
  const sync = () => {
    for (let run = queue.shift(); run; run = queue.shift()) run();
  };
  const journal = new Journal({ store, log: silentLog, writing() {}, synced() {} });
  let loaded: string | undefined;
  journal.load(error => {
    loaded = error ?? '';
  });
  sync();
  const bus = broker.bus();
  const changed: string[] = [];
  let speaks = true;
  const answers = new Answers('hearth', bus, clock);
  const under = new Rooms({
    ...{ base: 'hearth', bus, journal, clock, log: silentLog, answers },
    maySpeak: () => speaks,
    changed: (room, what) => void changed.push(`${room} ${what}`),
  });
  const filters = ['set/#', 'do/#', 'in/#', 'own'].map(part => `hearth/room/+/${part}`);
  bus.start(filters, {
    message(message) {
      const topic = parseTopic(message.topic, 'hearth');
      if (!topic.ok || topic.value.kind !== 'noun') throw new Error(`no address: ${message.topic}`);
      const { part, target } = topic.value;
      const asked = { topic: topic.value, message };
      if (part === 'set') under.set(asked);
      else if (part === 'do') under.do(asked);
      else if (part === 'in') under.reading(asked);
      else if (message.payload.length > 0 && target.kind === 'one') under.found(target.id);
    },
    up() {},
    down() {},
  });
  const person = broker.connect('person');
  const say = (path: string, payload: string | Uint8Array = '') => person.publish(`hearth/room/${path}`, payload);
  return {
    ...{ broker, clock, disk, store, journal, under, changed, sync, say, person },
    loaded: () => loaded,
    speak: (on: boolean) => {
      speaks = on;
    },
    /** The last answer to what was said. */
    ask(path: string, payload: string | Uint8Array = ''): ResultMessage | undefined {
      const from = broker.published.length;
      say(path, payload);
      sync();
      const last = broker.published.slice(from).findLast(one => one.topic.endsWith('/result'));
      return last && (JSON.parse(last.text) as ResultMessage);
    },
    own: (room: string) => {
      const text = broker.retained.get(`hearth/room/${room}/own`);
      return text === undefined ? undefined : roomOwnPayload.parse(JSON.parse(text));
    },
    retained: () => [...broker.retained.keys()].sort(),
  };
}

const isOf = (room: string, more: Partial<RoomIs> = {}): RoomIs => ({
  ...{ room, mode: 'heat', target_c: 21, temp_c: 19.2, preset: 'none', action: 'heating', demand_w: 300, heat_w: 280 },
  ...{ energy_kwh: 1.5, nodes: 2, temp_age_s: 4, jobs: 1, err: '', ...more },
});

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

rooms('at a start everything is written again, and what is retained of rooms that are gone is cleared', () => {
  const broker = memoryBroker('outside');
  for (const part of ['own', 'is', 'status'])
    broker.retained.set(`hearth/room/gone/${part}`, part === 'own' ? '{"rev":3}' : 'x');
  const disk: MemoryDisk = new Map();
  rig({ disk }).ask('attic/set/target_c', '21');
  broker.retained.set('hearth/room/attic/status', 'online');
  const it = rig({ kind: 'outside', broker, disk });
  let done = 0;
  it.under.everything(() => void done++);
  assert.is(done, 1);
  assert.equal(it.retained(), ['hearth/room/attic/own', 'hearth/room/attic/status']);
  assert.is(broker.retained.get('hearth/room/attic/status'), 'offline', 'until somebody knows better');
});

rooms('who may not speak says nothing, and says all of it once he may', () => {
  const it = rig();
  it.ask('attic/set/target_c', '21');
  it.speak(false);
  const before = it.broker.published.length;
  it.under.say('attic', isOf('attic'), true);
  it.under.found('gone');
  it.under.everything(() => {});
  it.clock.advance(60_000);
  assert.is(it.broker.published.length, before);
  it.speak(true);
  it.broker.retained.set('hearth/room/attic/is', 'old');
  it.under.everything(() => {});
  assert.is(it.broker.retained.get('hearth/room/attic/status'), 'online');
  assert.is(JSON.parse(it.broker.retained.get('hearth/room/attic/is') ?? '{}').heat_w, 280);
});

rooms('found before it may speak, a room that is gone is cleared when it may', () => {
  const it = rig();
  it.speak(false);
  for (const part of ['own', 'is', 'status']) it.broker.retained.set(`hearth/room/gone/${part}`, 'x');
  it.under.found('gone');
  assert.is(it.retained().length, 3);
  it.speak(true);
  it.under.everything(() => {});
  assert.equal(it.retained(), []);
});

rooms('is: at most once a second, at least every 30 s, and flat', () => {
  const it = rig();
  it.ask('attic/set/target_c', '21');
  const topic = 'hearth/room/attic/is';
  it.under.say('attic', isOf('attic'), true);
  assert.is(it.broker.count(topic), 1, 'at once');
  for (let heat_w = 0; heat_w < 50; heat_w++) {
    it.under.say('attic', isOf('attic', { heat_w }), true);
    it.clock.advance(10);
  }
  assert.is(it.broker.count(topic), 1);
  it.clock.advance(500);
  assert.is(it.broker.count(topic), 2);
  assert.is(it.broker.last<RoomIs>(topic)?.heat_w, 49);
  for (let second = 0; second < 90; second++) {
    it.under.say('attic', isOf('attic', { heat_w: 49, temp_age_s: second }), true);
    it.clock.advance(1000);
  }
  assert.is(it.broker.count(topic), 5);
  assert.ok(roomIsPayload.safeParse(it.broker.last(topic)).success);
  it.under.stop(() => {});
  it.clock.advance(100_000);
  assert.is(it.broker.count(topic), 5);
  assert.is(it.clock.pending, 0);
});

rooms('status follows, and comes when it turns', () => {
  const it = rig();
  it.ask('attic/set/target_c', '21');
  const topic = 'hearth/room/attic/status';
  for (const online of [true, true, false, false, true]) it.under.say('attic', isOf('attic'), online);
  assert.equal(
    it.broker.published.filter(one => one.topic === topic).map(one => one.text),
    ['offline', 'online', 'offline', 'online'],
  );
});

rooms('readings: a number, or one with its time; what is wrong is answered, what counts is not', () => {
  const it = rig();
  it.ask('attic/set/target_c', '21');
  it.changed.length = 0;
  assert.is(it.ask('attic/in/temp_c', ' 20.5\n'), undefined);
  it.clock.advance(4000);
  assert.equal(it.under.latest('attic', 'temp_c'), { value: 20.5, ageMs: 4000 });
  const at = it.clock.wall();
  assert.is(it.ask('attic/in/temp_c', JSON.stringify({ value: 21, at_ms: at - 1500 })), undefined);
  assert.equal(it.under.latest('attic', 'temp_c'), { value: 21, ageMs: 1500 });
  it.ask('attic/in/temp_c', JSON.stringify({ value: 1, at_ms: at - 60_000 }));
  assert.is(it.under.latest('attic', 'temp_c')?.value, 21, 'an older one comes too late');
  assert.equal(it.changed, ['attic temp_c', 'attic temp_c']);
  const why = (path: string, payload: string | Uint8Array) => it.ask(path, payload)?.error ?? '';
  assert.match(
    why('attic/in/temp_c', JSON.stringify({ value: 30, at_ms: at + 3_600_000 })),
    'from the future by 3600 s',
  );
  assert.match(why('attic/in/temp', '20'), 'did you mean "temp_c"');
  assert.match(why('attik/in/temp_c', '20'), 'did you mean "attic"');
  for (const bad of [
    'unavailable',
    'NaN',
    'Infinity',
    '0x10',
    '1e999',
    '"20"',
    '{"value":"20"}',
    '{"value":20,"unit":"F"}',
    '[20]',
    '{',
  ])
    assert.ok(why('attic/in/temp_c', bad).length > 0, bad);
  assert.match(why('attic/in/temp_c', '-300'), 'cannot be');
  assert.match(why('attic/in/demand_w', '-1'), 'cannot be');
  assert.match(why('attic/in/temp_c', ' '.repeat(2000)), 'at most 1024');
  assert.match(why('attic/in/temp_c', new Uint8Array([0xff])), 'UTF-8');
  assert.is(it.under.latest('attic', 'temp_c')?.value, 21);
  it.ask('attic/in/temp_c', '');
  assert.is(it.under.latest('attic', 'temp_c'), undefined, 'taken away');
  assert.is(it.journal.rev, 1, 'and nothing of it is journalled');
});

rooms('readings get too old by the monotonic clock: a demand after ten minutes', () => {
  const it = rig();
  it.ask('attic/set/target_c', '21');
  it.say('attic/in/demand_w', '400');
  it.say('attic/in/temp_c', '20');
  it.clock.stall(10 * 60_000 - 1);
  assert.is(it.under.latest('attic', 'demand_w')?.value, 400);
  it.clock.stall(1);
  assert.is(it.under.latest('attic', 'demand_w'), undefined);
  assert.is(it.under.latest('attic', 'temp_c')?.ageMs, 600_000);
});

rooms('a copy that an outside broker kept is never fresh by itself', () => {
  const it = rig({ kind: 'outside' });
  it.ask('attic/set/target_c', '21');
  const kept = (payload: string) => it.person.publish('hearth/room/attic/in/temp_c', payload);
  const copy = (text: string) =>
    it.broker.deliver({
      topic: 'hearth/room/attic/in/temp_c',
      payload: new TextEncoder().encode(text),
      qos: 1,
      retain: true,
    });
  copy('20');
  assert.is(it.under.latest('attic', 'temp_c'), undefined);
  copy(JSON.stringify({ value: 19, at_ms: it.clock.wall() - 240_000 }));
  assert.equal(it.under.latest('attic', 'temp_c'), { value: 19, ageMs: 240_000 });
  kept('20');
  assert.is(it.under.latest('attic', 'temp_c')?.value, 20);
  const embedded = rig();
  embedded.ask('attic/set/target_c', '21');
  embedded.person.publish('hearth/room/attic/in/temp_c', '20', { retain: true });
  assert.is(embedded.under.latest('attic', 'temp_c')?.value, 20, 'there the flag is stripped, and it is news');
});

rooms('a thermometer that is wrong without end is not answered without end', () => {
  const it = rig();
  it.ask('attic/set/target_c', '21');
  const from = it.broker.published.length;
  for (let n = 0; n < 5000; n++) it.say('attic/in/temp_c', 'unavailable');
  assert.ok(it.broker.published.length - from <= 100, `${it.broker.published.length - from} answers`);
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
