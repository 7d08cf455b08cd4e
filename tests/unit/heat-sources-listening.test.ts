/** Which topics are heard on which broker, and whose reading a message is, with its age. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type BrokerName, mostTopics, Sources, type Wanted } from '../../broker/heat/sources/listening.ts';
import type { Thermometer } from '../../shared/schemas/reading.ts';
import { manualClock } from '../fixture/manual-clock.ts';

const test = suite('heat sources: listening');
const bytes = (text: string) => new TextEncoder().encode(text);
const on = (topic: string, broker: BrokerName = 'own', template?: string): Thermometer => ({
  topic,
  broker,
  ...(template !== undefined && { template }),
});

function scene(wanted: Wanted) {
  const clock = manualClock();
  clock.advance(3_600_000);
  const told: unknown[] = [];
  const sources = new Sources(clock, {
    temp: (room, c, atMs) => void told.push(['temp', room, c, clock.now() - atMs]),
    outdoor: (room, c, atMs) => void told.push(['outdoor', room, c, clock.now() - atMs]),
    meter: (node, { watts, atMs, energyWh }) => void told.push(['meter', node, watts, clock.now() - atMs, energyWh]),
  });
  sources.replace(wanted);
  const take = (topic: string, text: string, more: { retain?: boolean; broker?: BrokerName; live?: boolean } = {}) =>
    sources.take(more.broker ?? 'own', {
      topic,
      payload: bytes(text),
      retain: more.retain ?? false,
      ...(more.live && { from: { serial: 1, clientId: 'x' } }),
    });
  return { sources, told, take, clock, taken: () => told.splice(0) };
}

const house: Wanted = {
  rooms: [
    { room: 'living', thermometer: on('zigbee2mqtt/living'), outdoor: on('weather/out', 'uplink', 'value_json.t') },
    { room: 'bath', thermometer: { node: 'n1', sensor: 'w1_28_0316a2797d11_c' } },
    { room: 'kitchen', thermometer: on('zigbee2mqtt/living', 'own', 'value_json.temperature - 1') },
  ],
  plugs: [
    { node: 'n1', plug: { topic: 'tele/plug/SENSOR', broker: 'own' } },
    { node: 'n2', plug: { wemo: 'http://192.168.1.7:49153' } },
  ],
};

test('topics by broker, and Wemos by node', () => {
  const { sources } = scene(house);
  assert.deepEqual(sources.filters('own'), ['zigbee2mqtt/living', 'tele/plug/SENSOR']);
  assert.deepEqual(sources.filters('uplink'), ['weather/out']);
  assert.deepEqual([...sources.wemos], [['n2', 'http://192.168.1.7:49153']]);
});

test('a message goes to all whose topic it is on, on that broker and no other', () => {
  const { take, taken } = scene(house);
  assert.equal(take('zigbee2mqtt/living', '{"temperature":21.5}'), true);
  assert.deepEqual(taken(), [
    ['temp', 'living', 21.5, 0],
    ['temp', 'kitchen', 20.5, 0],
  ]);
  assert.equal(take('weather/out', '{"t":-3}'), false);
  assert.equal(take('weather/out', '{"t":-3}', { broker: 'uplink' }), true);
  assert.equal(take('elsewhere', '5'), false);
  take('tele/plug/SENSOR', '{"ENERGY":{"Power":60,"Total":1.5}}');
  assert.deepEqual(taken(), [
    ['outdoor', 'living', -3, 0],
    ['meter', 'n1', 60, 0, 1500],
  ]);
});

test('a retained copy counts by its own time or not at all; a live message with the flag is live', () => {
  const { take, taken, clock } = scene(house);
  take('zigbee2mqtt/living', '{"temperature":21.5}', { retain: true });
  assert.deepEqual(taken(), []);
  take('zigbee2mqtt/living', '{"temperature":21.5}', { retain: true, live: true });
  assert.equal(taken().length, 2);
  const seen = (agoMs: number) => JSON.stringify({ temperature: 21, last_seen: clock.wall() - agoMs });
  take('zigbee2mqtt/living', seen(300_000), { retain: true });
  assert.deepEqual(taken(), [
    ['temp', 'living', 21, 300_000],
    ['temp', 'kitchen', 20, 300_000],
  ]);
  // Live, and measured a while ago: as old as it says.
  take('zigbee2mqtt/living', seen(60_000));
  assert.deepEqual(taken()[0], ['temp', 'living', 21, 60_000]);
  // A clock that is ahead by a little, by much, and a reading of the day before yesterday.
  take('zigbee2mqtt/living', seen(-10_000), { retain: true });
  assert.deepEqual(taken()[0], ['temp', 'living', 21, 0]);
  take('zigbee2mqtt/living', seen(-3_600_000), { retain: true });
  take('zigbee2mqtt/living', seen(2 * 86_400_000));
  assert.deepEqual(taken(), []);
  take('zigbee2mqtt/living', seen(-3_600_000));
  assert.deepEqual(taken()[0], ['temp', 'living', 21, 0]);
});

test('what is not understood is one sentence, until it is understood again', () => {
  const { sources, take, taken } = scene(house);
  take('zigbee2mqtt/living', '{"temperature":null}');
  assert.equal(sources.whyRoom('living'), 'zigbee2mqtt/living: its "temperature" has no reading now');
  assert.equal(sources.whyRoom('kitchen'), 'zigbee2mqtt/living: its template finds no number there');
  take('tele/plug/SENSOR', 'x'.repeat(100_000));
  assert.match(sources.whyPlug('n1') ?? '', /^tele\/plug\/SENSOR: 100000 bytes/);
  take('zigbee2mqtt/living', '');
  assert.deepEqual(taken(), []);
  sources.replace(house);
  assert.ok(sources.whyRoom('living'), 'the same document again forgets nothing');
  take('zigbee2mqtt/living', '{"temperature":21}');
  take('tele/plug/SENSOR', '{"ENERGY":{"Power":1}}');
  assert.equal(sources.whyRoom('living'), undefined);
  assert.equal(sources.whyPlug('n1'), undefined);
  take('weather/out', '{}', { broker: 'uplink' });
  assert.match(sources.whyOutdoor('living') ?? '', /^weather\/out: its template/);
  sources.replace({ rooms: [], plugs: [] });
  assert.equal(sources.whyRoom('living'), undefined);
});

test('a notification about something else is no trouble', () => {
  const { sources, take, taken } = scene({ rooms: [{ room: 'a', thermometer: on('s/events/rpc') }], plugs: [] });
  take('s/events/rpc', '{"method":"NotifyStatus","params":{"ts":1,"wifi":{}}}');
  assert.equal(sources.whyRoom('a'), undefined);
  assert.deepEqual(taken(), []);
});

test("a node's own sensor", () => {
  const { sources, taken } = scene(house);
  const say = (more: object) => sources.sensors('n1', bytes(JSON.stringify({ node: 'n1', epoch: 1, ...more })));
  say({ w1_28_0316a2797d11_c: 19.5, hwmon_sht3x_c: 20 });
  sources.sensors('n2', bytes('{"node":"n2","epoch":1,"w1_28_0316a2797d11_c":5}'));
  assert.deepEqual(taken(), [['temp', 'bath', 19.5, 0]]);
  say({ hwmon_sht3x_c: 20 });
  assert.match(sources.whyRoom('bath') ?? '', /of node n1: it is not there: the node has hwmon_sht3x_c/);
  say({});
  assert.match(sources.whyRoom('bath') ?? '', /the node has none/);
  sources.sensors('n1', bytes('{"node":"n1","epoch":1,"w1_28_0316a2797d11_c":"5"}'));
  sources.sensors('n1', bytes('nonsense'));
  assert.match(sources.whyRoom('bath') ?? '', /not valid JSON/);
  assert.deepEqual(taken(), []);
});

test("a processor's temperature is never the room's, by any template, and a node's own watts are no plug's", () => {
  const { sources, take, taken } = scene({
    rooms: [
      { room: 'a', thermometer: on('hearth/node/n1/load') },
      { room: 'b', thermometer: on('hearth/node/n1/load', 'own', 'value_json.temp_c') },
    ],
    plugs: [{ node: 'n1', plug: { topic: 'hearth/node/n1/power', broker: 'own' } }],
  });
  take('hearth/node/n1/load', '{"node":"n1","epoch":4,"seq":7,"cpu_pct":12,"temp_c":48.3,"watts":60}');
  take(
    'hearth/node/n1/power',
    '{"node":"n1","watts":60,"watts_source":"model","energy_kwh":1,"heat_cores":0,"heat_w":0}',
  );
  assert.deepEqual(taken(), []);
  for (const why of [sources.whyRoom('a'), sources.whyRoom('b'), sources.whyPlug('n1')])
    assert.match(why ?? '', /says this of itself/);
});

test('a document that names what cannot be heard says why', () => {
  const many = Array.from({ length: mostTopics + 1 }, (_, i) => ({
    node: `n${i}`,
    plug: { topic: `p/${i}`, broker: 'own' as const },
  }));
  const { sources } = scene({
    rooms: [
      { room: 'a', thermometer: on('x', 'uplink', 'value |') },
      { room: 'b', thermometer: on('x\u0001', 'uplink') },
    ],
    plugs: many,
  });
  assert.match(sources.whyRoom('a') ?? '', /^x: the template is not understood/);
  assert.match(sources.whyRoom('b') ?? '', /cannot be printed/);
  assert.equal(sources.filters('own').length, mostTopics);
  assert.match(sources.whyPlug(`n${mostTopics}`) ?? '', /more than 900 topics/);
  assert.deepEqual(sources.filters('uplink'), []);
  sources.unheard('own', 'p/3', 'broker x: it refuses the subscription to p/3');
  assert.match(sources.whyPlug('n3') ?? '', /refuses the subscription/);
});

test.run();
