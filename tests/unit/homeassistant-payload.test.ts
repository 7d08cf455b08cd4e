/** What is announced: what each kind of device has, by the rules of Home Assistant. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { discovery, mostNodes } from '../../broker/homeassistant/payload.ts';
import { type HaView, loadEveryMs } from '../../broker/homeassistant/view.ts';
import { type Discovered, readDiscovery } from '../fixture/home-assistant-rules.ts';
import { haCluster, haNode, haView } from '../fixture/home-assistant-view.ts';

const test = suite('home assistant payload');

const of = (view: HaView, object: string): Discovered => {
  const topic = `homeassistant/device/hearth_0123456789abcdef_${object}/config`;
  const text = discovery(view).get(topic);
  assert.ok(text !== undefined, topic);
  const { wrong, found } = readDiscovery(topic, text);
  assert.deepEqual(wrong, []);
  return found;
};
const availability = (keys: Readonly<Record<string, unknown>> | undefined): string =>
  ((keys?.availability as { t: string }[] | undefined) ?? []).map(({ t }) => t).join(' ');

test('ids are frozen: a device or an entity that was announced once is found again by them for ever', () => {
  // Never change these: whoever does takes history, names and dashboards from everybody's Home Assistant.
  const frozen = [...discovery(haView())].flatMap(([topic, text]) => {
    const { found } = readDiscovery(topic, text);
    const entities = Object.entries(found.components).map(
      ([key, { platform, unique_id }]) => `${key} ${platform} ${unique_id}`,
    );
    return [topic, String(found.device.identifiers), ...entities];
  });
  const [hub, room, node] = ['hub', 'room_study', 'node_n1'].map(name => `hearth_0123456789abcdef_${name}`);
  assert.deepEqual(frozen, [
    ...[`homeassistant/device/${hub}/config`, hub],
    `connectivity binary_sensor ${hub}_connectivity`,
    `nodes_online sensor ${hub}_nodes_online`,
    `cores sensor ${hub}_cores`,
    `power sensor ${hub}_power`,
    `jobs_queued sensor ${hub}_jobs_queued`,
    `jobs_running sensor ${hub}_jobs_running`,
    ...[`homeassistant/device/${room}/config`, room],
    `climate climate ${room}_climate`,
    `allowed switch ${room}_allowed`,
    `temperature sensor ${room}_temperature`,
    `outdoor sensor ${room}_outdoor`,
    `power sensor ${room}_power`,
    `demand sensor ${room}_demand`,
    `energy sensor ${room}_energy`,
    `max_power number ${room}_max_power`,
    `problem binary_sensor ${room}_problem`,
    ...[`homeassistant/device/${node}/config`, node],
    `connectivity binary_sensor ${node}_connectivity`,
    `cpu sensor ${node}_cpu`,
    `memory sensor ${node}_memory`,
    `temperature sensor ${node}_temperature`,
    `load sensor ${node}_load`,
    `frequency sensor ${node}_frequency`,
    `jobs sensor ${node}_jobs`,
    `power sensor ${node}_power`,
    `energy sensor ${node}_energy`,
    `drain switch ${node}_drain`,
    `identify button ${node}_identify`,
    `reboot button ${node}_reboot`,
    `wake button ${node}_wake`,
    `agent update ${node}_agent`,
  ]);
});

test('ids do not hang on the base, the name or the version; a second cluster on the broker has its own', () => {
  const ids = (view: HaView) =>
    [...discovery(view)].flatMap(([topic, text]) =>
      Object.values(readDiscovery(topic, text).found.components).map(({ unique_id }) => String(unique_id)),
    );
  const renamed = haView({ base: 'house', ver: '9.9.9', rooms: [{ id: 'study', name: 'Büro', outdoor: true }] });
  assert.deepEqual(ids(renamed), ids(haView()));
  assert.ok(!ids(haView({ cluster: 'f'.repeat(32) })).some(id => ids(haView()).includes(id)));
});

test('the hub tells whether the supervisor is there, and nothing makes that unavailable', () => {
  const { device, components } = of(haView(), 'hub');
  assert.equal(device.via_device, undefined);
  assert.equal(device.configuration_url, 'http://192.168.1.5:22581/');
  assert.equal(components.connectivity?.state_topic, 'hearth/status');
  assert.equal(components.connectivity?.availability, undefined);
  assert.equal(availability(components.cores), 'hearth/status');
  assert.equal(components.cores?.expire_after, 30);
  assert.equal(of(haView({ watts: false }), 'hub').components.power, undefined);
  // Schemes that Home Assistant refuses are left out instead of losing the device.
  for (const url of ['hearth.local', 'ftp://a/', 'javascript:alert(1)', 'http://', `http://a/${'a'.repeat(300)}`]) {
    assert.equal(of(haView({ url }), 'hub').device.configuration_url, undefined, url);
  }
});

test('a room is a thermostat: off and heat, every command with a state of its own, plain text both ways', () => {
  const { device, components } = of(haView(), 'room_study');
  assert.equal(device.name, 'Study');
  assert.equal(device.suggested_area, 'Study');
  assert.equal(device.via_device, 'hearth_0123456789abcdef_hub');
  const { climate } = components;
  assert.ok(climate);
  assert.equal(climate.name, null);
  assert.equal(climate.default_entity_id, 'climate.hearth_study');
  assert.deepEqual(climate.modes, ['off', 'heat']);
  assert.deepEqual([climate.min_temp, climate.max_temp, climate.temp_step, climate.precision], [5, 30, 0.5, 0.1]);
  assert.deepEqual(climate.preset_modes, ['eco', 'comfort', 'boost', 'away']);
  for (const [what, key] of [
    ['mode', 'mode'],
    ['temperature', 'target_c'],
    ['preset_mode', 'preset'],
  ]) {
    assert.equal(climate[`${what}_command_topic`], `hearth/room/study/set/${key}`);
    assert.equal(climate[`${what}_state_topic`], 'hearth/room/study/is');
  }
  assert.equal(climate.optimistic, false);
  assert.equal(climate.qos, 1);
  for (const gone of ['power_command_topic', 'retain', 'initial', 'aux_command_topic'])
    assert.equal(climate[gone], undefined);
});

test('a stale room cannot be heated blindly, but still be forbidden to heat, and is seen to have a problem', () => {
  const { components } = of(haView(), 'room_study');
  const both = 'hearth/status hearth/room/study/status';
  assert.equal(availability(components.climate), both);
  assert.equal(components.climate?.availability_mode, 'all');
  assert.equal(availability(components.temperature), both);
  for (const key of ['allowed', 'power', 'demand', 'energy', 'max_power', 'problem']) {
    assert.equal(availability(components[key]), 'hearth/status', key);
  }
  // Over the uplink it is told on change only.
  for (const [key, { expire_after }] of Object.entries(components)) assert.equal(expire_after, undefined, key);
  const { allowed } = components;
  assert.deepEqual(
    [allowed?.payload_on, allowed?.payload_off, allowed?.state_on, allowed?.state_off],
    ['heat', 'off', 'heat', 'off'],
  );
});

test('energy fits the Energy dashboard, power the statistics', () => {
  for (const [object, key] of [
    ['room_study', 'energy'],
    ['node_n1', 'energy'],
  ] as const) {
    const energy = of(haView(), object).components[key];
    assert.deepEqual(
      [energy?.device_class, energy?.unit_of_measurement, energy?.state_class],
      ['energy', 'kWh', 'total_increasing'],
    );
    // Home Assistant would make a hole in a counter that does not fall.
    assert.equal(energy?.expire_after, undefined);
    const power = of(haView(), object).components.power;
    assert.deepEqual(
      [power?.device_class, power?.unit_of_measurement, power?.state_class],
      ['power', 'W', 'measurement'],
    );
  }
});

test('a node has entities for what it has, and no others', () => {
  const bare = haNode('n1', { info: {}, has: new Set(['cpu_pct']), power: false, wakes: false });
  assert.deepEqual(Object.keys(of(haView({ nodes: [bare] }), 'node_n1').components), [
    'connectivity',
    'cpu',
    'drain',
    'identify',
  ]);
  const { device } = of(haView(), 'node_n1');
  assert.equal(device.suggested_area, 'Study');
  assert.equal(device.model, 'Intel Core i5-2400');
  assert.equal(device.via_device, 'hearth_0123456789abcdef_hub');
  assert.equal(discovery(haView({ nodes: [{ id: 'n2', has: new Set(), power: false, wakes: true }] })).size, 2);
});

test('what a node once had stays an entity while its sensor is away', () => {
  const bare = haView({ nodes: [haNode('n1', { has: new Set(), power: false })], watts: false });
  const known = (topic: string): ReadonlySet<string> =>
    new Set(topic.includes('hub') ? ['power', 'evil'] : ['temperature', 'power', 'energy', 'evil']);
  const [hub, , node] = [...discovery(bare, { known })].map(entry => readDiscovery(...entry).found.components);
  assert.ok(hub?.power && node?.temperature && node?.power && node?.energy);
  assert.ok(!node?.cpu && !node?.evil && !hub?.evil);
});

test('telemetry expires after three periods, where the period is known', () => {
  const expiry = (loadEveryMs: number | undefined) =>
    of(haView({ nodes: [haNode('n1', loadEveryMs === undefined ? {} : { loadEveryMs })] }), 'node_n1').components.cpu
      ?.expire_after;
  assert.equal(expiry(60_000), 180);
  assert.equal(expiry(500), 30);
  for (const bad of [Number.NaN, 0, -1, Number.POSITIVE_INFINITY]) assert.equal(expiry(bad), undefined);
  const every = (up_s: number, epoch = 3, known?: number) =>
    loadEveryMs({ epoch, up_s }, { epoch: 3, up_s: 1000 }, known);
  assert.equal(every(1005), 10_000);
  assert.equal(every(1060), 60_000);
  // Jitter and a quick one change nothing, one that was lost does.
  assert.equal(every(1062, 3, 60_000), 60_000);
  assert.equal(every(1001, 3, 60_000), 60_000);
  assert.equal(every(1120, 3, 60_000), 120_000);
  // Another session, the same load again, a clock that went back, no clock, a day without one: nothing new is known.
  assert.equal(every(1005, 4, 60_000), 60_000);
  for (const up of [1000, 900, 1000 + 86_400, Number.NaN]) assert.equal(every(up), undefined);
  assert.equal(loadEveryMs({ epoch: 3, up_s: 5 }, { epoch: 3 }, undefined), undefined);
  assert.equal(loadEveryMs({ epoch: 3, up_s: 5 }, undefined, 10_000), 10_000);
});

test('what is asked of a node: drain by on and off, verbs as buttons, the agent by follow', () => {
  const { components } = of(haView(), 'node_n1');
  assert.equal(components.drain?.command_topic, 'hearth/node/n1/set/drain');
  assert.deepEqual([components.drain?.payload_on, components.drain?.payload_off], ['on', 'off']);
  assert.equal(components.drain?.state_topic, 'hearth/node/n1/is');
  assert.equal(components.identify?.command_topic, 'hearth/node/n1/do/identify');
  assert.equal(components.reboot?.entity_category, 'config');
  // Who is to be woken is offline.
  assert.equal(availability(components.wake), 'hearth/status');
  assert.equal(availability(components.connectivity), 'hearth/status');
  const { agent } = components;
  assert.deepEqual([agent?.state_topic, agent?.latest_version_topic], ['hearth/node/n1/info', 'hearth/info']);
  assert.deepEqual([agent?.command_topic, agent?.payload_install], ['hearth/node/n1/set/agent', 'follow']);
  const info = { caps: 'root,wake', ver: 'not a version' };
  const without = of(haView({ nodes: [haNode('n1', { info, wakes: false })] }), 'node_n1');
  for (const key of ['reboot', 'wake', 'agent']) assert.equal(without.components[key], undefined, key);
});

test('off announces nothing; what an outlet does not carry is not announced there', () => {
  assert.equal(discovery(haView({ prefix: 'off' })).size, 0);
  const rooms = (topic: string) => !topic.includes('/node/');
  assert.deepEqual(
    [...discovery(haView(), { carries: rooms })].map(([topic]) => topic.split('_').slice(2).join('_')),
    ['hub/config', 'room_study/config'],
  );
  const reads = (topic: string) => !/\/(set|do)\/|\/info$/.test(topic);
  const view = discovery(haView(), { carries: reads });
  for (const [topic, text] of view) assert.deepEqual(readDiscovery(topic, text).wrong, []);
  assert.ok(![...view.values()].some(text => /\/set\/|\/do\//.test(text)));
});

test('a status that an outlet does not carry keeps nothing unavailable there', () => {
  const carries = (topic: string) => topic !== 'hearth/node/n1/status';
  const text =
    discovery(haView(), { carries }).get('homeassistant/device/hearth_0123456789abcdef_node_n1/config') ?? '';
  const { components } = readDiscovery('homeassistant/device/a/config', text).found;
  assert.equal(availability(components.cpu), 'hearth/status');
  assert.equal(components.connectivity, undefined);
});

test('ids that are none make no topics', () => {
  const bad = ['a/b', '+', 'A', '', 'all', 'a_b', 'x'.repeat(21)];
  const view = haView({ rooms: bad.map(one => ({ id: one })), nodes: bad.map(one => haNode(one)) });
  assert.equal(discovery(view).size, 1);
});

test('thousands of nodes are announced up to a bound', () => {
  const nodes = Array.from({ length: mostNodes + 50 }, (_, index) => haNode(`n${index}`));
  assert.equal(discovery(haView({ nodes })).size, mostNodes + 2);
});

test('a name that is not to be shown falls back to the id', () => {
  const name = (text: string) => of(haView({ rooms: [{ id: 'study', name: text }] }), 'room_study').device.name;
  assert.equal(name('   '), 'study');
  assert.equal(name('Wohn\u202ezimmer\n'), 'Wohn\\u202ezimmer');
  assert.equal(String(name('x'.repeat(1000))).length, 64);
  assert.equal(name('{{ states("a") }}'), '{{ states("a") }}');
});

test('the cluster is found again by its first sixteen digits', () => {
  assert.ok([...discovery(haView()).keys()].every(topic => topic.includes(`hearth_${haCluster.slice(0, 16)}_`)));
});

test.run();
