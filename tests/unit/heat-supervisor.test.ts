/** Heating as people, thermometers and nodes meet it: on a memory bus, in virtual time, every safety rule of it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { Power } from '../../shared/schemas/heat.ts';
import type { RoomIs } from '../../shared/schemas/room.ts';
import { type HeatedNode, heatedNode } from '../fixture/heat-rig.ts';
import { type Rig, rig } from '../fixture/supervisor-rig.ts';

const heat = suite('heat: supervisor');

const isOf = (one: Rig, room = 'attic'): RoomIs =>
  JSON.parse(one.broker.retained.get(`hearth/room/${room}/is`) ?? '{}');
const statusOf = (one: Rig, room = 'attic') => one.broker.retained.get(`hearth/room/${room}/status`);
const powerOf = (one: Rig, node: string): Power | undefined => {
  const text = one.broker.published.findLast(({ topic }) => topic === `hearth/node/${node}/power`)?.text;
  return text === undefined ? undefined : JSON.parse(text);
};

interface Warm {
  readonly one: Rig;
  readonly nodes: readonly HeatedNode[];
  /** Lets time pass in steps of five seconds; nodes say their loads, the thermometer speaks every minute. */
  pass(seconds: number, tempC?: number | undefined): void;
}

/** A room with machines of four cores, 20 W idle and 100 W busy each. */
function warm(machines = 1, options: Parameters<typeof rig>[0] = {}): Warm {
  const one = rig(options);
  const nodes = Array.from({ length: machines }, (_, at) => heatedNode(one, `n${at + 1}`));
  for (const { id } of nodes) {
    one.ask(`node/${id}/set`, JSON.stringify({ labels: { room: 'attic' }, heat: { idle_w: 20, peak_w: 100 } }));
  }
  let passed = 0;
  const pass = (seconds: number, tempC?: number) => {
    for (let at = 0; at < seconds; at += 5, passed += 5) {
      if (tempC !== undefined && passed % 60 === 0) one.person.publish('hearth/room/attic/in/temp_c', String(tempC));
      for (const node of nodes) node.load();
      one.clock.advance(5000);
      one.sync();
    }
  };
  return { one, nodes, pass };
}

/** One that heats. */
function burning(machines = 1, options: Parameters<typeof rig>[0] = {}): Warm & { readonly node: HeatedNode } {
  const all = warm(machines, options);
  all.one.ask('room/attic/set', JSON.stringify({ mode: 'heat', target_c: 21 }));
  all.pass(120, 18);
  const [node] = all.nodes;
  assert.ok(node && node.asked() > 0.5, `it heats: ${node?.asked()} cores`);
  return { ...all, node: node as HeatedNode };
}

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

heat('the fuse holds over all rooms, by priority', () => {
  const { one, pass } = warm(2, { heating: { fuseW: 150 } });
  one.ask('node/n2/set/labels', JSON.stringify({ room: 'cellar' }));
  one.ask('room/attic/set', JSON.stringify({ mode: 'heat', target_c: 24, priority: 90 }));
  one.ask('room/cellar/set', JSON.stringify({ mode: 'heat', target_c: 24, priority: 10 }));
  for (let minute = 0; minute < 20; minute++) {
    one.person.publish('hearth/room/cellar/in/temp_c', '15');
    pass(60, 15);
    const sum = isOf(one).heat_w + isOf(one, 'cellar').heat_w;
    assert.ok(minute < 3 || sum < 155, `${sum} W of 150`);
  }
  assert.ok(isOf(one).heat_w > isOf(one, 'cellar').heat_w + 20);
  assert.match(isOf(one, 'cellar').err, /fuse of 150 W/);
});

heat('who goes offline is asked for nothing, and the room does without; with nobody left it is offline', () => {
  const { one, node, pass } = burning();
  node.leave();
  pass(30, 18);
  assert.equal([isOf(one).nodes, isOf(one).action, statusOf(one)], [0, 'idle', 'offline']);
  assert.match(isOf(one).err, /no machine/);
});

heat('energy is counted, and never falls, also over a supervisor that was killed', () => {
  const disk = new Map<string, string>();
  const { one, pass } = burning(1, { disk });
  pass(3600, 20);
  const before = isOf(one).energy_kwh;
  assert.ok(before > 0.03 && before < 0.12, `${before} kWh`);
  const power = powerOf(one, 'n1');
  assert.equal([power?.watts_source, power?.node], ['model', 'n1']);
  assert.ok(Math.abs((power?.energy_kwh ?? 0) - before) < 0.01);
  const { broker } = one;
  const next = rig({ disk, clock: one.clock, broker });
  next.clock.advance(20_000);
  next.sync();
  assert.ok(isOf(next).energy_kwh >= before, `${isOf(next).energy_kwh} after ${before}`);
});

heat('a room that is forgotten leaves nothing, and its machines rest', () => {
  const { one, node } = burning();
  one.ask('room/attic/do/forget');
  one.clock.advance(10_000);
  one.sync();
  assert.is(node.asked(), 0);
  assert.equal(
    [...one.broker.retained.keys()].filter(topic => topic.startsWith('hearth/room/')),
    [],
  );
});

heat('a machine that leaves its room rests at once', () => {
  const { one, node } = burning();
  one.ask('node/n1/set/labels', '{}');
  one.clock.advance(1);
  one.sync();
  assert.is(node.asked(), 0);
});

heat('Home Assistant is told of rooms and nodes, and of their end', () => {
  const { one, pass } = burning(1, { heating: { discovery: 'homeassistant' } });
  pass(60, 20);
  const configs = () => [...one.broker.retained.keys()].filter(topic => topic.startsWith('homeassistant/device/'));
  assert.is(configs().length, 3, configs().join());
  one.ask('room/attic/do/forget');
  pass(60);
  assert.is(configs().length, 2);
  one.ask('node/n1/do/forget');
  pass(60);
  assert.is(configs().length, 1);
});

heat('a thermometer on any topic, a plug that knows better than the model, and who says what of them', () => {
  const { one, nodes, pass } = warm();
  const [node] = nodes as [HeatedNode];
  const topic = 'zigbee2mqtt/attic thermometer';
  one.ask('room/attic/set', JSON.stringify({ mode: 'heat', target_c: 22, thermometer: topic }));
  one.ask('node/n1/set/heat/plug', JSON.stringify({ topic: 'tele/plug/SENSOR' }));
  one.person.publish(topic, JSON.stringify({ temperature: 19.5, battery: 90, linkquality: 44 }));
  pass(30);
  assert.equal([isOf(one).temp_c, isOf(one).err], [19.5, '']);
  assert.ok(node.asked() > 0.3);
  one.person.publish('tele/plug/SENSOR', JSON.stringify({ Time: 'x', ENERGY: { Power: 71.5, Total: 3 } }));
  pass(20);
  const power = powerOf(one, 'n1');
  assert.equal([power?.watts, power?.watts_source], [71.5, 'meter']);
  one.person.publish(topic, 'not understood');
  pass(700);
  assert.is(node.asked(), 0);
  assert.match(isOf(one).err, /zigbee2mqtt\/attic thermometer/);
});

heat('a calibration walks through the levels, learns what the plug shows, and is answered at its end', () => {
  const { one, nodes } = warm();
  const [node] = nodes as [HeatedNode];
  assert.match(one.ask('node/n1/do/calibrate').error ?? '', /no plug/);
  one.ask('node/n1/set', JSON.stringify({ heat: { plug: 'plug/power', idle_w: null, peak_w: null } }));
  assert.is(one.ask('node/n1/do/calibrate', '{"tx":"c1"}').state, 'accepted');
  const levels = new Set<number>();
  const results = () =>
    one.broker.published.filter(({ topic, text }) => topic === 'hearth/node/n1/result' && text.includes('"c1"'));
  for (let at = 0; at < 1200 && results().length < 2; at += 5) {
    node.load();
    levels.add(node.asked());
    const share = Math.max(0.1, node.asked()) / 4;
    one.person.publish('plug/power', (11 + 53 * share ** 0.8).toFixed(1));
    one.clock.advance(5000);
    one.sync();
  }
  const last = JSON.parse(results().at(-1)?.text ?? '{}');
  assert.equal([last.ok, last.state], [true, 'finished'], JSON.stringify(last));
  assert.ok(levels.size >= 5, [...levels].join());
  assert.is(node.asked(), 0);
  // The plug is gone: the model that was learned of it says the same.
  one.ask('node/n1/set/heat/plug', '');
  for (let at = 0; at < 200; at += 5) {
    node.load();
    one.clock.advance(5000);
    one.sync();
  }
  const power = powerOf(one, 'n1');
  assert.is(power?.watts_source, 'model');
  const idle = 11 + 53 * 0.025 ** 0.8;
  assert.ok(Math.abs((power?.watts ?? 0) - idle) < 0.05 * idle + 0.7, `${power?.watts} W, ${idle} metered`);
});

heat('what people removed in Home Assistant comes back when they ask for it', () => {
  const { one, pass } = burning(1, { heating: { discovery: 'homeassistant' } });
  pass(60, 20);
  const config =
    [...one.broker.retained.keys()].find(topic => /^homeassistant\/device\/.*attic\/config$/.test(topic)) ?? '';
  assert.ok(config !== '', [...one.broker.retained.keys()].join());
  one.person.publish(config, '', { retain: true });
  one.person.publish('homeassistant/status', 'online');
  pass(120, 20);
  assert.not(one.broker.retained.has(config));
  assert.is(one.ask('node/n1/do/rediscover').ok, true);
  pass(60, 20);
  assert.ok(one.broker.retained.has(config));
});

heat.run();
