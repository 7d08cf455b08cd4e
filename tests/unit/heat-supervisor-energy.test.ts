/** The fuse, energy, plugs and calibration, and what Home Assistant is told: a supervisor on a memory bus, in virtual time. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HeatedNode } from '../fixture/heat-rig.ts';
import { burning, isOf, powerOf, statusOf, warm } from '../fixture/heated-room.ts';
import { rig } from '../fixture/supervisor-rig.ts';

const heat = suite('heat: supervisor, energy and Home Assistant');

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

heat('what a room taught is kept over a restart that ends before anything was looked at', () => {
  const disk = new Map<string, string>();
  const { one, pass } = burning(1, { disk });
  pass(300, 20);
  one.supervisor.stop(() => {});
  one.sync();
  const learned = () => {
    const { kc, integralW } = JSON.parse(disk.get('heat/room/attic') ?? '{}');
    return { kc, integralW };
  };
  const before = learned();
  assert.ok(before.kc > 0);
  const next = rig({ disk, clock: one.clock });
  next.supervisor.stop(() => {});
  next.sync();
  assert.equal(learned(), before);
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

heat('what the cluster draws is what its machines draw, with its source; Home Assistant has it of the hub', () => {
  const { one, pass } = warm(2, { heating: { discovery: 'homeassistant' } });
  const info = () => JSON.parse(one.broker.published.findLast(({ topic }) => topic === 'hearth/info')?.text ?? '{}');
  one.ask('node/n1/set/heat/plug', JSON.stringify({ topic: 'plug/power' }));
  one.person.publish('plug/power', '71.5');
  pass(40);
  const sum = (powerOf(one, 'n1')?.watts ?? 0) + (powerOf(one, 'n2')?.watts ?? 0);
  assert.ok(sum > 90, `${sum} W`);
  assert.ok(Math.abs(info().watts - sum) < 0.2, `${info().watts} W of ${sum}`);
  assert.is(info().watts_source, 'model');
  const hub = [...one.broker.retained].find(([topic]) => /_hub\/config$/.test(topic))?.[1] ?? '{}';
  assert.ok(JSON.parse(hub).cmps?.power);
});

heat('the power of a machine in no room is said as often as Home Assistant is told to wait for it', () => {
  const { one, pass } = warm(1, { heating: { discovery: 'homeassistant' } });
  const expires = (): number => {
    const topic = [...one.broker.retained.keys()].find(key => /_node_n1\/config$/.test(key)) ?? '';
    return JSON.parse(one.broker.retained.get(topic) ?? '{}').cmps?.power?.exp_aft;
  };
  const longestS = (seconds: number): number => {
    let [last, longest] = [0, 0];
    for (let at = 0; at < seconds; at += 5) {
      const from = one.broker.published.length;
      pass(5);
      if (one.broker.published.slice(from).some(({ topic }) => topic === 'hearth/node/n1/power')) last = at;
      longest = Math.max(longest, at - last);
    }
    return longest;
  };
  pass(120);
  assert.is(expires(), 30);
  assert.ok(longestS(120) < 30);
  one.ask('node/n1/set/labels', '{}');
  pass(120);
  const silence = longestS(300);
  assert.ok(expires() > 2 * silence, `unavailable after ${expires()} s, ${silence} s of silence`);
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
