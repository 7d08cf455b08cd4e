/** Rooms: what everybody sees of them, and what is measured in them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { MemoryDisk } from '../../broker/store/memory.ts';
import { type RoomIs, roomIsPayload } from '../../shared/schemas/room.ts';
import { memoryBroker } from '../fixture/memory-bus.ts';
import { isOf, roomsRig as rig } from '../fixture/rooms-rig.ts';

const rooms = suite('heat: rooms, seen and measured');

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

rooms.run();
