/**
 * A real Hearth and the real Home Assistant, both ways: on Hearth's own broker, and over the uplink on the user's.
 * Shares home-assistant: two of it at a time are too much for a small machine.
 */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type Cluster, hearthCommand, startAgent, up } from '../../fixture/cluster.ts';
import { heatedMachine } from '../../fixture/heated-machine.ts';
import { startMosquitto } from '../../fixture/mosquitto.ts';
import { connectClient, type Heard, type TestClient } from '../../fixture/mqtt-client.ts';
import { folder, freePort, start, until } from '../../fixture/processes.ts';
import { testWith } from '../../fixture/programs.ts';
import { heatByThermostat } from './heats.ts';
import { type HomeAssistant, needs, sharedHome } from './home-assistant.ts';
import { addMqtt, type Broker, removeEntry } from './mqtt-entry.ts';
import { devicesOf, type Entity, entitiesOf } from './registry.ts';

const test = suite('hearth and home assistant');
const shared = sharedHome(test);

const thermostat = 'climate.hearth_study';

/** The room with the local node in it, and a reading of 19 °C, given by people on Hearth's own broker. */
async function warmRoom(client: TestClient, node: string): Promise<void> {
  await client.publish(`hearth/node/${node}/set/labels`, JSON.stringify({ room: 'study' }));
  // It draws no heat here: what is asked is seen, and this machine is left alone.
  await client.publish(`hearth/node/${node}/set/heat`, JSON.stringify({ on: true, cores: 0, idle_w: 20, peak_w: 60 }));
  await client.publish('hearth/room/study/set', JSON.stringify({ name: 'Study', mode: 'heat', target_c: 20 }));
  await client.publish('hearth/room/study/in/temp_c', '19');
}

/** What Home Assistant asks of a room comes to pass, and is shown. */
async function dials(home: HomeAssistant): Promise<void> {
  await home.wait(thermostat, ({ state, attributes }) => state === 'heat' && attributes.current_temperature === 19);
  await home.act('climate', 'set_temperature', thermostat, { temperature: 21.5 });
  await home.wait(thermostat, ({ attributes }) => attributes.temperature === 21.5);
  await home.act('climate', 'set_hvac_mode', thermostat, { hvac_mode: 'off' });
  await home.wait(thermostat, ({ state, attributes }) => state === 'off' && attributes.hvac_action === 'off');
  await home.act('climate', 'set_hvac_mode', thermostat, { hvac_mode: 'heat' });
  await home.act('climate', 'set_preset_mode', thermostat, { preset_mode: 'eco' });
  await home.wait(thermostat, ({ state, attributes }) => state === 'heat' && attributes.preset_mode === 'eco');
  await home.act('climate', 'set_preset_mode', thermostat, { preset_mode: 'none' });
  await home.act('climate', 'set_temperature', thermostat, { temperature: 20 });
  await home.wait(thermostat, ({ attributes }) => attributes.preset_mode === 'none' && attributes.temperature === 20);
}

const roomOf = async (client: TestClient, fits: (is: { target_c?: number; mode?: string }) => boolean) =>
  client.wait(
    'the room',
    ({ topic, text }) => topic === 'hearth/room/study/is' && text !== '' && fits(JSON.parse(text)),
  );

/** Entities of node and room with their units. */
async function units(home: HomeAssistant, node: string): Promise<void> {
  const words = node.replaceAll('-', '_');
  const expected: readonly [entity: string, unit: string, kind: string | undefined][] = [
    ['sensor.hearth_study_temperature', '°C', 'temperature'],
    ['sensor.hearth_study_power', 'W', 'power'],
    ['sensor.hearth_study_energy', 'kWh', 'energy'],
    [`sensor.hearth_node_${words}_cpu`, '%', undefined],
    [`sensor.hearth_node_${words}_memory`, '%', undefined],
  ];
  for (const [entity, unit, kind] of expected) {
    const { attributes } = await home.wait(entity, ({ state }) => Number.isFinite(Number(state)));
    assert.deepEqual([entity, attributes.unit_of_measurement, attributes.device_class], [entity, unit, kind]);
  }
  await home.wait(`binary_sensor.hearth_node_${words}_connectivity`, ({ state }) => state === 'on');
}

/** The login that docs/homeassistant.md makes for it. */
async function loginOf({ data }: Cluster): Promise<Pick<Broker, 'username' | 'password'>> {
  const password = 'a password for ha';
  const args = [hearthCommand, 'user', 'add', 'ha', '--role', 'integration', '--data', data];
  const added = start(process.execPath, args, {
    env: { PATH: process.env.PATH, HOME: folder('hearth-home-') },
    stdio: 'pipe',
  });
  added.child.stdin?.end(`${password}\n`);
  assert.equal(await added.ended, 0, added.output());
  return { username: 'ha', password };
}

/** A node's switch and buttons do what they say, with no more rights than an integration's. */
async function switches(home: HomeAssistant, client: TestClient, node: string): Promise<void> {
  const words = node.replaceAll('-', '_');
  const drain = `switch.hearth_node_${words}_drain`;
  for (const [action, state] of [
    ['turn_on', 'on'],
    ['turn_off', 'off'],
  ] as const) {
    await home.act('switch', action, drain);
    await home.wait(drain, one => one.state === state);
  }
  await home.act('button', 'press', `button.hearth_node_${words}_identify`);
  // Not every machine has a light.
  await client.wait('it was asked to show itself', ({ topic, text }) => {
    const { key, state } = topic === `hearth/node/${node}/result` ? JSON.parse(text) : {};
    return key === 'identify' && state === 'finished';
  });
}

/** On this broker, and without a complaint of ours. */
async function connected(broker: Broker, run: (home: HomeAssistant) => Promise<void>): Promise<void> {
  const home = shared();
  const entry = await addMqtt(home, broker);
  try {
    await run(home);
    assert.deepEqual(
      home.complaints().filter((...of) => !isOfTheRestart(...of)),
      [],
    );
  } finally {
    await removeEntry(home, entry);
  }
}

/** A device goes with what it stands for, and its entities with it; `word` is in the names of all of them. */
async function goes(home: HomeAssistant, client: TestClient, what: string, word: string): Promise<void> {
  const before = (await devicesOf(home)).length;
  await client.publish(`hearth/${what}/do/forget`, '');
  await until(`the device of ${what} is gone`, async () => (await devicesOf(home)).length === before - 1);
  const isOfIt = ({ entity_id }: Entity) => entity_id.includes(word);
  await until('its entities are gone', async () => !(await entitiesOf(home)).some(isOfIt));
}

testWith(
  test,
  needs,
  'on Hearth’s own broker, MQTT 5: dials, restarts of both, a node and a room that go',
  async () => {
    const port = await freePort();
    const data = folder('hearth-data-');
    let cluster = await up({ data, mqttPort: port });
    const { node } = cluster.ready;
    const spare = startAgent({ broker: cluster.url, node: 'spare' });
    const topics = ['hearth/room/#', 'hearth/node/+/result', 'homeassistant/#'];
    let client = await connectClient(cluster.url, topics);
    await warmRoom(client, node);
    await connected({ port, protocol: '5', ...(await loginOf(cluster)) }, async home => {
      await units(home, node);
      await dials(home);
      await switches(home, client, node);
      await roomOf(client, ({ target_c, mode }) => target_c === 20 && mode === 'heat');

      // It is there again, and is told of everything again, though all of that lay on the broker.
      client.forget();
      await home.restart();
      await home.wait(thermostat, ({ state, attributes }) => state === 'heat' && attributes.temperature === 20);
      for (const kind of ['hub', 'room_study', 'node_spare']) {
        const isOfKind = ({ topic, text, retain }: Heard) => !retain && topic.includes(`_${kind}`) && text !== '';
        await client.wait(`${kind} is announced again`, isOfKind);
      }

      await home.wait('binary_sensor.hearth_node_spare_connectivity', ({ state }) => state === 'on');
      await spare.stop();
      await goes(home, client, 'node/spare', 'spare');

      await client.close();
      await cluster.process.stop();
      await home.wait(thermostat, ({ state }) => state === 'unavailable');
      cluster = await up({ data, mqttPort: port });
      client = await connectClient(cluster.url, ['hearth/room/#']);
      await client.publish('hearth/room/study/in/temp_c', '19');
      await home.wait(thermostat, ({ state, attributes }) => state === 'heat' && attributes.temperature === 20);
      await home.act('climate', 'set_temperature', thermostat, { temperature: 20.5 });
      await roomOf(client, ({ target_c }) => target_c === 20.5);
      await goes(home, client, 'room/study', 'study');
    });
    await client.close();
    await cluster.process.stop();
  },
);

testWith(test, needs, 'on Hearth’s own broker, MQTT 3.1.1: a target raised there runs a job here', async () => {
  const machine = await heatedMachine();
  await machine.prepare();
  await connected({ port: machine.cluster.ready.mqtt, protocol: '3.1.1' }, async home => {
    const raised = await heatByThermostat(home, machine);
    assert.ok(Math.min(...raised) <= 2000, `not once within 2 s: ${raised}`);
    await units(home, machine.cluster.ready.node);
    await dials(home);
  });
  await machine.stop();
});

testWith(
  test,
  needs,
  'over the uplink on Mosquitto: dials, a broker that restarts, a supervisor that ends',
  async () => {
    const port = await freePort();
    let broker = await startMosquitto([], port);
    const data = folder('hearth-data-');
    const flags = ['--uplink', broker.url];
    let cluster = await up({ data, flags });
    const { node } = cluster.ready;
    let client = await connectClient(cluster.url, ['hearth/room/#']);
    await warmRoom(client, node);
    await connected({ port }, async home => {
      await units(home, node);
      await dials(home);

      // Nothing but what is meant for there is there.
      const outside = await connectClient(broker.url, ['hearth/#']);
      await outside.wait('the status', ({ topic }) => topic === 'hearth/status');
      await outside.wait('a load', ({ topic }) => topic === `hearth/node/${node}/load`);
      const stray = outside.heard.filter(({ topic }) => /\/(want|own|cmd|work|done|lwt)$/.test(topic));
      assert.deepEqual(stray, []);
      await outside.close();

      // The broker forgets everything; Hearth and Home Assistant come back to it by themselves.
      await broker.process.stop();
      await home.wait(thermostat, ({ state }) => state === 'unavailable');
      await client.publish('hearth/room/study/set/target_c', '22');
      broker = await startMosquitto([], port);
      await home.wait(thermostat, ({ state, attributes }) => state === 'heat' && attributes.temperature === 22);
      await home.act('climate', 'set_temperature', thermostat, { temperature: 18 });
      await roomOf(client, ({ target_c }) => target_c === 18);

      await client.close();
      await cluster.process.stop('SIGKILL');
      await home.wait(thermostat, ({ state }) => state === 'unavailable');
      cluster = await up({ data, flags });
      client = await connectClient(cluster.url, ['hearth/room/#']);
      await client.publish('hearth/room/study/in/temp_c', '19');
      await home.wait(thermostat, ({ state, attributes }) => state === 'heat' && attributes.temperature === 18);
      await goes(home, client, 'room/study', 'study');
    });
    await client.close();
    await cluster.process.stop();
    await broker.process.stop();
  },
);

/** What it says of a broker that the test itself took away, perhaps just when it wanted to say that it is there. */
function isOfTheRestart(line: string, _: number, all: readonly string[]): boolean {
  const lost =
    /\[homeassistant\.components\.mqtt\.client\] (Disconnected from|Failed to connect to|Error returned from) MQTT server/;
  const cut = /\[paho\.mqtt\.client\] failed to receive on socket/;
  // What it had just asked a broker that went: it tells so ten seconds later, and five more where it is held up.
  const unanswered = /\[homeassistant\.components\.mqtt\.client\] No ACK from MQTT server in 10 seconds/;
  if (unanswered.test(line)) {
    const asked = at(line) - 15_000;
    return all.some(other => lost.test(other) && at(other) > asked && at(other) < at(line));
  }
  return (
    lost.test(line) || cut.test(line) || /Error talking to MQTT: The client is not currently connected\.$/.test(line)
  );
}

/** When it was said, ms. */
const at = (line: string): number => Date.parse(line.split(' ').slice(0, 2).join(' '));

test.run();
