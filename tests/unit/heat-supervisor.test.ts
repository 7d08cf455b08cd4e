/** Heating as people, thermometers and nodes meet it: on a memory bus, in virtual time, every safety rule of it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type HeatedNode, heatedNode } from '../fixture/heat-rig.ts';
import { burning, isOf, statusOf, type Warm, warm } from '../fixture/heated-room.ts';

const heat = suite('heat: supervisor');

heat(
  'a target above the temperature makes a machine work at once, as a lease that is renewed; the room says so',
  () => {
    const { one, nodes, pass } = warm();
    const [node] = nodes as [HeatedNode];
    one.ask('room/attic/set', JSON.stringify({ mode: 'heat', target_c: 18 }));
    pass(60, 20);
    assert.is(node.asked(), 0);
    assert.is(isOf(one).action, 'idle');
    one.ask('room/attic/set/target_c', '23');
    one.clock.advance(1);
    one.sync();
    const order = node.order();
    assert.ok(order && order.cores > 0.5, JSON.stringify(order));
    assert.equal([order.lease_s, order.burner, order.max_temp_c], [45, true, 80]);
    const count = node.orders();
    pass(60, 20);
    assert.ok(node.orders() >= count + 3, 'a lease of 45 s is renewed every 15');
    const is = isOf(one);
    assert.equal([is.action, is.mode, is.target_c, is.nodes, is.temp_c], ['heating', 'heat', 23, 1, 20]);
    assert.ok(is.demand_w > 30 && is.heat_w > 30, JSON.stringify(is));
    assert.is(statusOf(one), 'online');
  },
);

heat('what its machines draw follows what is demanded', () => {
  const { one, pass } = burning(3);
  one.person.publish('hearth/room/attic/in/demand_w', '150');
  one.clock.advance(1);
  pass(300, 18);
  one.person.publish('hearth/room/attic/in/demand_w', '150');
  pass(120, 18);
  const is = isOf(one);
  assert.is(is.demand_w, 150);
  assert.ok(Math.abs(is.heat_w - 150) < 8, `${is.heat_w} W for 150`);
});

heat('a mode of off ends it at once, whatever minimum times there are', () => {
  const { one, node } = burning();
  one.ask('room/attic/set/mode', 'off');
  one.clock.advance(1);
  one.sync();
  assert.is(node.asked(), 0);
  assert.is(isOf(one).action, 'off');
});

heat('a thermometer that says nothing for ten minutes ends it: idle and offline', () => {
  const { one, node, pass } = burning();
  pass(540);
  assert.ok(node.asked() > 0);
  pass(90);
  assert.is(node.asked(), 0);
  assert.equal([isOf(one).action, statusOf(one)], ['idle', 'offline']);
  assert.match(isOf(one).err, /said nothing for 1\d minutes/);
  pass(60, 18);
  assert.is(statusOf(one), 'online');
});

for (const [what, tempC] of [
  ['out of range', '85'],
  ['no number', 'unavailable'],
  ['absurd', '-3'],
] as const) {
  heat(`a reading that is ${what} does not heat`, () => {
    const { one, node, pass } = burning();
    const sent = one.broker.published.length;
    one.person.publish('hearth/room/attic/in/temp_c', tempC);
    one.clock.advance(15_000);
    one.sync();
    if (what === 'no number') {
      // Nobody can heat by it, and nobody heats long by what was said before.
      assert.ok(one.broker.published.slice(sent).some(({ topic }) => topic === 'hearth/room/attic/result'));
      pass(700);
    }
    assert.is(node.asked(), 0);
    assert.equal([isOf(one).action, statusOf(one)], ['idle', 'offline']);
  });
}

heat('a room at its hard limit is off whatever anybody demands', () => {
  const { one, node, pass } = burning();
  one.ask('room/attic/set/limit_c', '24');
  one.person.publish('hearth/room/attic/in/demand_w', '100');
  for (const tempC of [20, 22, 24.5, 24.5, 24.5]) pass(60, tempC);
  one.person.publish('hearth/room/attic/in/demand_w', '100');
  pass(60, 24.5);
  assert.is(node.asked(), 0);
  assert.is(isOf(one).demand_w, 0);
  assert.match(isOf(one).err, /limit of 24/);
});

heat('a demand in watts is forgotten after ten minutes', () => {
  const { one, node, pass } = warm() as Warm & { node?: HeatedNode };
  one.ask('room/attic/set', JSON.stringify({ mode: 'heat', target_c: 18 }));
  pass(60, 21);
  one.person.publish('hearth/room/attic/in/demand_w', '80');
  pass(120, 21);
  assert.is(isOf(one).demand_w, 80);
  pass(600, 21);
  assert.is(isOf(one).demand_w < 80, true);
  assert.is(node, undefined);
});

heat('raised, lowered long enough to stop it, raised again: heat at once, though it has not rested its time', () => {
  const { one, node, pass } = burning();
  const say = (target: number) => {
    one.ask('room/attic/set/target_c', String(target));
    one.clock.advance(1);
    one.sync();
    return node.asked();
  };
  assert.ok(say(15) < 0.2, 'lowered: next to nothing at once');
  pass(720, 18);
  assert.is(node.asked(), 0, 'and nothing in the end');
  pass(60, 18);
  const raised = say(21);
  assert.ok(raised > 0.5, `${raised} cores`);
  assert.equal([isOf(one).action, isOf(one).err], ['heating', '']);
});

heat('a demand of no watts that is forgotten in a cold room: heat in the next round', () => {
  const { one, node, pass } = burning();
  for (let i = 0; i < 3; i++) {
    one.person.publish('hearth/room/attic/in/demand_w', '0');
    pass(300, 18);
  }
  assert.is(isOf(one).demand_w, 0);
  assert.is(node.asked(), 0);
  let waited = 0;
  for (; isOf(one).demand_w === 0 && waited < 700; waited += 5) pass(5, 18);
  assert.ok(isOf(one).demand_w > 60, `${isOf(one).demand_w} W after ${waited} s`);
  pass(60, 18);
  assert.ok(node.asked() > 1, `${node.asked()} cores`);
});

heat('a machine that is too hot is given less, then nothing, until it has cooled', () => {
  const { node, pass } = burning();
  node.tempC = 89;
  pass(20, 18);
  assert.is(node.asked(), 0);
  node.tempC = 79;
  pass(60, 18);
  assert.is(node.asked(), 0, 'not yet: its fan has just begun to win');
  node.tempC = 60;
  pass(900, 18);
  assert.ok(node.asked() > 0.5);
});

heat('a drained machine gives no heat, and one without the means is asked for none', () => {
  const { one, node, pass } = burning(2);
  one.ask('node/n1/do/drain');
  pass(20, 18);
  assert.is(node.asked(), 0);
  const other = heatedNode(one, 'm1', 'root');
  one.ask('node/m1/set', JSON.stringify({ labels: { room: 'attic' } }));
  pass(60, 18);
  assert.is(other.asked(), 0);
});

heat.run();
