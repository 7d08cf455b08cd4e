/** Clocks that step, machines that move, sensors that go, bounds of nothing: a supervisor on a memory bus, in virtual time. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { burning, isOf, powerOf, statusOf } from '../fixture/heated-room.ts';
import { manualClock } from '../fixture/manual-clock.ts';
import { rig } from '../fixture/supervisor-rig.ts';

const heat = suite('heat: supervisor, moves');

heat('a supervisor that slept for an hour heats nobody by what it knew before', () => {
  const { one, node } = burning();
  const before = node.orders();
  const kwh = isOf(one).energy_kwh;
  one.clock.stall(3_600_000);
  one.clock.advance(40_000);
  one.sync();
  assert.ok(node.orders() === before || node.asked() === 0, `${node.asked()} cores`);
  assert.equal([isOf(one).action, statusOf(one)], ['idle', 'offline']);
  assert.ok(isOf(one).energy_kwh - kwh < 0.005, 'what was drawn in that hour nobody knows');
});

heat('a wall clock that steps by a day, or back by a month, neither ends heat nor keeps it on', () => {
  const clock = manualClock();
  let step = 0;
  const { one, node, pass } = burning(1, { clock: { ...clock, wall: () => clock.wall() + step } });
  for (const by of [86_400_000, -30 * 86_400_000, 0]) {
    step = by;
    pass(60, 18);
    assert.ok(node.asked() > 0.5, `${node.asked()} cores`);
    assert.is(isOf(one).err, '');
  }
  step = 86_400_000;
  pass(720);
  assert.equal([node.asked(), statusOf(one)], [0, 'offline']);
});

heat('a machine that moves to another room while it heats is that one’s, and its energy with it', () => {
  const { one, node, pass } = burning();
  one.ask('room/cellar/set', JSON.stringify({ mode: 'off' }));
  one.person.publish('hearth/room/cellar/in/temp_c', '15');
  pass(120, 18);
  const [attic, n1] = [isOf(one).energy_kwh, powerOf(one, 'n1')?.energy_kwh ?? 0];
  assert.ok(attic > 0 && n1 > 0);
  one.ask('node/n1/set/labels/room', 'cellar');
  one.clock.advance(1);
  one.sync();
  assert.is(node.asked(), 0, 'that room is off');
  pass(600, 18);
  assert.ok(isOf(one).energy_kwh - attic < 0.001, 'what was written of before is shown');
  assert.ok(isOf(one, 'cellar').energy_kwh > 0.001);
  assert.ok((powerOf(one, 'n1')?.energy_kwh ?? 0) > n1);
  assert.equal([isOf(one).nodes, isOf(one, 'cellar').nodes], [0, 1]);
});

heat('no watts are no heat: max_w of 0', () => {
  const { one, node, pass } = burning();
  one.ask('room/attic/set/max_w', '0');
  one.clock.advance(1);
  one.sync();
  assert.is(node.asked(), 0);
  pass(120, 18);
  assert.equal([node.asked(), isOf(one).demand_w, isOf(one).action, isOf(one).max_w], [0, 0, 'idle', 0]);
});

heat('a hot machine whose sensor drops out is given no more than it was allowed', () => {
  const { node, pass } = burning();
  node.tempC = 85;
  pass(60, 18);
  const allowed = node.asked();
  assert.ok(allowed > 0 && allowed < 3.5, `${allowed} cores`);
  node.tempC = undefined;
  pass(120, 18);
  assert.ok(node.asked() <= allowed, `${node.asked()} cores after ${allowed}`);
});

heat('what is on the disk of rooms and nodes that are gone is gone with the next start', () => {
  const disk = new Map<string, string>();
  const { one, pass } = burning(1, { disk });
  pass(60, 18);
  // Killed after the journal, before the rest: nobody removed these.
  for (const key of ['room/gone', 'kwh/room/gone', 'kwh/node/gone', 'model/gone', 'learning/gone'])
    disk.set(`heat/${key}`, disk.get(`heat/${key.replace('gone', key.includes('room') ? 'attic' : 'n1')}`) ?? '{}');
  const next = rig({ disk, clock: one.clock });
  next.clock.advance(60_000);
  next.sync();
  assert.equal(
    [...disk.keys()].filter(key => key.includes('gone')),
    [],
  );
  assert.ok(disk.has('heat/kwh/room/attic') && disk.has('heat/kwh/node/n1'));
});

heat.run();
