/** What a person turns on the dashboard takes the way of every set; rooms and machines' heat are in what dashboards see. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createRoomDesk } from '../../broker/room-desk.ts';
import type { FleetChange } from '../../shared/fleet-view.ts';
import { burning, isOf, warm } from '../fixture/heated-room.ts';
import { memoryBroker } from '../fixture/memory-bus.ts';
import { type Rig, rig } from '../fixture/supervisor-rig.ts';

const desk = suite('room desk');
const anna = { role: 'operator', name: 'anna', how: 'password' } as const;

const deskOf = (one: Rig) => {
  const { speaks, take } = one.supervisor;
  return createRoomDesk({ base: 'hearth', clock: one.clock, speaks, take });
};
const results = (one: Rig) => one.broker.published.filter(({ topic }) => topic === 'hearth/room/attic/result');

desk('a set is answered to who asked and on result, with the name; then the room goes by its revision', async () => {
  const { one, pass } = warm();
  one.ask('room/attic/set', JSON.stringify({ mode: 'heat', target_c: 18, name: 'Attic', limit_c: 26 }));
  pass(60, 20);
  const asked = deskOf(one).set('attic', { target_c: 23 }, anna, '192.168.1.9');
  one.sync();
  const answer = await asked;
  assert.ok(answer?.ok, JSON.stringify(answer));
  const said = JSON.parse(results(one).at(-1)?.text ?? '');
  assert.equal([said.ok, said.by, said.rev], [true, 'anna', answer?.ok && answer.rev]);
  assert.is(JSON.parse(one.broker.retained.get('hearth/room/attic/own') ?? '').target_c, 23);
  one.clock.advance(1);
  const seen = one.supervisor.fleet.room('attic');
  assert.equal([seen?.name, seen?.max_c, seen?.online, seen?.is?.target_c], ['Attic', 26, true, 23]);
  assert.is(seen?.is_rev, said.rev, 'the page sees that the room goes by it');
  assert.is(seen?.is_at_ms, one.clock.wall() - 1);
});

desk('what is wrong is refused with the sentence, and changes nothing', async () => {
  const { one } = warm();
  one.ask('room/attic/set/target_c', '18');
  const answer = await deskOf(one).set('attic', { target_c: 35 }, anna, 'local');
  assert.equal(answer, { ok: false, sentence: 'target_c: at most 30 °C' });
  assert.is(JSON.parse(one.broker.retained.get('hearth/room/attic/own') ?? '').target_c, 18);
});

desk('the same word again is accepted, as of a revision that the room goes by already', async () => {
  const { one } = warm();
  one.ask('room/attic/set/target_c', '18');
  one.clock.advance(1);
  const asked = deskOf(one).set('attic', { target_c: 18 }, anna, 'local');
  one.sync();
  const answer = await asked;
  const seen = one.supervisor.fleet.room('attic');
  assert.ok(answer?.ok && seen && seen.is_rev >= answer.rev, JSON.stringify([answer, seen]));
});

desk('no answer in time, and no broker, are told apart', async () => {
  const { one } = warm();
  one.ask('room/attic/set/target_c', '18');
  const asked = deskOf(one).set('attic', { target_c: 19 }, anna, 'local');
  one.clock.advance(10_000);
  assert.is(await asked, undefined, 'the disk is not heard of');
  const probing = rig({ kind: 'outside', broker: memoryBroker('outside') });
  const before = probing.broker.published.length;
  const away = await deskOf(probing).set('attic', { target_c: 19 }, anna, 'local');
  assert.ok(away && !away.ok && away.away, JSON.stringify(away));
  probing.clock.advance(60_000);
  probing.sync();
  assert.is(probing.supervisor.fleet.room('attic'), undefined, 'and nothing is done later');
  assert.not.ok(probing.broker.published.slice(before).some(({ topic }) => topic.startsWith('hearth/room/')));
});

desk('dashboards see rooms come, change and go, and what each machine gives', () => {
  const { one, pass } = burning();
  const { fleet } = one.supervisor;
  const changes: FleetChange[] = [];
  fleet.watch(change => changes.push(change));
  pass(20, 18);
  const last = changes.findLast(({ rooms }) => rooms)?.rooms?.attic;
  assert.equal([last?.is?.action, last?.is?.heat_w], ['heating', isOf(one).heat_w]);
  const { heat } = fleet.get('n1') ?? {};
  assert.is(heat?.room, 'attic');
  assert.ok(heat && heat.watts > 60 && heat.heat_w > 30, JSON.stringify(heat));
  assert.equal(fleet.snapshot().rooms, [fleet.room('attic')]);
  one.ask('room/attic/do/forget');
  one.clock.advance(1000);
  assert.is(changes.findLast(({ rooms }) => rooms)?.rooms?.attic, null);
  assert.equal(fleet.snapshot().rooms, []);
  one.clock.advance(60_000);
  assert.equal(fleet.snapshot().rooms, [], 'and does not come back');
});

desk.run();
