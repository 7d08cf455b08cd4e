/**
 * What Hearth announces, as the real Home Assistant takes it: without a word of complaint, with the right units. Shares
 * home-assistant: two of it at a time are too much for a small machine.
 */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { discovery } from '../../../broker/homeassistant/payload.ts';
import { startMosquitto } from '../../fixture/mosquitto.ts';
import { connectClient } from '../../fixture/mqtt-client.ts';
import { until } from '../../fixture/processes.ts';
import { testWith } from '../../fixture/programs.ts';
import { needs, type State, sharedHome } from './home-assistant.ts';
import { addMqtt, removeEntry } from './mqtt-entry.ts';
import { devicesOf, type Entity, entitiesOf } from './registry.ts';
import { publishSample, publishTelemetry, sampleRoom, sampleView } from './sample-cluster.ts';

const test = suite('home assistant and the announcements');
const shared = sharedHome(test);

/** The rig itself: a thermostat announced by hand is an entity, and what is asked of it arrives as MQTT. */
const announcement = {
  dev: { ids: ['by_hand'], name: 'By hand' },
  o: { name: 'A test' },
  avty: [{ t: 'hand/status' }],
  cmps: {
    heat: {
      p: 'climate',
      uniq_id: 'by_hand_heat',
      def_ent_id: 'climate.by_hand',
      name: null,
      modes: ['off', 'heat'],
      mode_stat_t: 'hand/mode',
      mode_cmd_t: 'hand/set/mode',
      temp_stat_t: 'hand/target',
      temp_cmd_t: 'hand/set/target',
      temp_unit: 'C',
    },
  },
};

testWith(test, needs, 'a device that a test announces', async () => {
  const broker = await startMosquitto();
  const home = shared();
  const entry = await addMqtt(home, { port: broker.port });
  const client = await connectClient(broker.url, ['hand/set/#']);
  await client.publish('homeassistant/device/by_hand/config', JSON.stringify(announcement), { retain: true });
  await client.publish('hand/status', 'online', { retain: true });
  await client.publish('hand/mode', 'heat', { retain: true });
  await client.publish('hand/target', '19.5', { retain: true });
  await home.wait('climate.by_hand', ({ state, attributes }) => state === 'heat' && attributes.temperature === 19.5);
  await home.act('climate', 'set_temperature', 'climate.by_hand', { temperature: 21.5 });
  await client.wait('the target', ({ topic, text }) => topic === 'hand/set/target' && text === '21.5');
  assert.deepEqual(home.complaints(), []);

  // What it says of a payload that it does not like is what the other tests look for.
  await client.publish('homeassistant/device/wrong/config', '{"dev":{"ids":["w"]},"cmps":{}}');
  await until('it complains', () => home.complaints().length > 0);
  assert.match(home.complaints()[0] ?? '', /mqtt/);
  await client.close();
  await removeEntry(home, entry);
  await broker.process.stop();
});

/** Entity, its state, and what its attributes must have. */
const expected: readonly [entity: string, state: string, attributes: Readonly<Record<string, unknown>>][] = [
  ['binary_sensor.hearth_connectivity', 'on', { device_class: 'connectivity' }],
  ['sensor.hearth_nodes_online', '1', { state_class: 'measurement' }],
  ['sensor.hearth_power', '64.2', { device_class: 'power', unit_of_measurement: 'W', state_class: 'measurement' }],
  ['sensor.hearth_jobs_running', '3', {}],
  [
    'climate.hearth_study',
    'heat',
    {
      ...{ temperature: 21, current_temperature: 19.4, hvac_action: 'heating', hvac_modes: ['off', 'heat'] },
      ...{ preset_mode: 'none', preset_modes: ['none', 'eco', 'comfort', 'boost', 'away'], min_temp: 5, max_temp: 30 },
      friendly_name: 'Arbeitszimmer 🔥',
    },
  ],
  ['climate.hearth_living_room', 'heat', { hvac_action: 'idle', min_temp: 10, max_temp: 24 }],
  ['switch.hearth_study_allowed', 'on', {}],
  ['sensor.hearth_study_temperature', '19.4', { device_class: 'temperature', unit_of_measurement: '°C' }],
  ['sensor.hearth_study_outdoor', '3.5', { device_class: 'temperature', unit_of_measurement: '°C' }],
  ['sensor.hearth_study_power', '231.5', { device_class: 'power', unit_of_measurement: 'W' }],
  ['sensor.hearth_study_demand', '240', { device_class: 'power', unit_of_measurement: 'W' }],
  [
    'sensor.hearth_study_energy',
    '12.345678',
    { device_class: 'energy', unit_of_measurement: 'kWh', state_class: 'total_increasing' },
  ],
  ['number.hearth_study_max_power', '400', { device_class: 'power', unit_of_measurement: 'W', min: 0 }],
  ['number.hearth_living_room_max_power', 'unknown', {}],
  ['binary_sensor.hearth_study_problem', 'off', { device_class: 'problem' }],
  ['binary_sensor.hearth_living_room_problem', 'on', { reason: 'no thermometer' }],
  ['binary_sensor.hearth_node_n1_connectivity', 'on', { device_class: 'connectivity' }],
  ['binary_sensor.hearth_node_pi_connectivity', 'off', {}],
  ['sensor.hearth_node_n1_cpu', '93.4', { unit_of_measurement: '%', state_class: 'measurement' }],
  ['sensor.hearth_node_n1_memory', '41.2', { unit_of_measurement: '%' }],
  ['sensor.hearth_node_n1_temperature', '61.5', { device_class: 'temperature', unit_of_measurement: '°C' }],
  ['sensor.hearth_node_n1_power', '64.2', { device_class: 'power', unit_of_measurement: 'W' }],
  [
    'sensor.hearth_node_n1_energy',
    '3.25',
    { device_class: 'energy', unit_of_measurement: 'kWh', state_class: 'total_increasing' },
  ],
  ['switch.hearth_node_n1_drain', 'off', {}],
  ['button.hearth_node_n1_identify', 'unknown', { device_class: 'identify' }],
  ['button.hearth_node_n1_reboot', 'unknown', { device_class: 'restart' }],
  ['button.hearth_node_n1_wake', 'unknown', {}],
  ['update.hearth_node_n1_agent', 'off', { installed_version: '1.2.3', latest_version: '1.2.3' }],
  ['sensor.hearth_node_pi_cpu', 'unavailable', {}],
];

/** What is not as expected, a line for each. */
function differences(all: readonly State[]): readonly string[] {
  const states = new Map(all.map(one => [one.entity_id, one]));
  return expected.flatMap(([entity, state, attributes]) => {
    const is = states.get(entity);
    if (!is) return [`${entity} is not there`];
    const differs = Object.entries(attributes).filter(
      ([key, value]) => JSON.stringify(is.attributes[key]) !== JSON.stringify(value),
    );
    return [
      ...(is.state === state ? [] : [`${entity}: ${is.state} instead of ${state}`]),
      ...differs.map(
        ([key, value]) => `${entity} ${key}: ${JSON.stringify(is.attributes[key])} instead of ${JSON.stringify(value)}`,
      ),
    ];
  });
}

testWith(test, needs, 'entities, units, commands, availability, removal, and no complaint', async () => {
  const broker = await startMosquitto();
  const home = shared();
  const entry = await addMqtt(home, { port: broker.port });
  const client = await connectClient(broker.url, ['hearth/+/+/set/#', 'hearth/+/+/do/#']);
  await publishSample(client);
  await home.wait('sensor.hearth_node_n1_cpu');
  await home.wait('climate.hearth_living_room', ({ state }) => state === 'heat');
  await publishTelemetry(client, home);

  let wrong: readonly string[] = [];
  await until(
    () => wrong.join('\n'),
    async () => {
      wrong = differences(await home.states());
      return wrong.length === 0;
    },
  );

  // Every component became an entity, and every device hangs below the hub.
  const announced = [...discovery(sampleView).values()].map(text => Object.keys(JSON.parse(text).cmps).length);
  const count = announced.reduce((sum, each) => sum + each, 0);
  await until(`${count} entities`, async () => (await entitiesOf(home)).length === count);
  const devices = await devicesOf(home);
  const hub = devices.find(({ name }) => name === 'Hearth');
  assert.equal(devices.length, 5);
  assert.deepEqual(
    devices.filter(({ id }) => id !== hub?.id).map(({ via_device_id }) => via_device_id),
    [hub?.id, hub?.id, hub?.id, hub?.id],
  );

  const asked = async (topic: string, text: string) => {
    await client.wait(
      `${topic} ${text}`,
      message => message.topic === topic && message.text === text && !message.retain,
    );
    client.forget();
  };
  await home.act('climate', 'set_temperature', 'climate.hearth_study', { temperature: 22.5 });
  await asked('hearth/room/study/set/target_c', '22.5');
  await home.act('climate', 'set_hvac_mode', 'climate.hearth_study', { hvac_mode: 'off' });
  await asked('hearth/room/study/set/mode', 'off');
  await home.act('climate', 'set_preset_mode', 'climate.hearth_study', { preset_mode: 'eco' });
  await asked('hearth/room/study/set/preset', 'eco');
  await home.act('climate', 'set_preset_mode', 'climate.hearth_study', { preset_mode: 'none' });
  await asked('hearth/room/study/set/preset', 'none');
  await home.act('climate', 'turn_on', 'climate.hearth_study');
  await asked('hearth/room/study/set/mode', 'heat');
  await home.act('switch', 'turn_off', 'switch.hearth_study_allowed');
  await asked('hearth/room/study/set/mode', 'off');
  await home.act('number', 'set_value', 'number.hearth_study_max_power', { value: 250 });
  await asked('hearth/room/study/set/max_w', '250');
  await home.act('switch', 'turn_on', 'switch.hearth_node_n1_drain');
  await asked('hearth/node/n1/set/drain', 'on');
  for (const verb of ['identify', 'reboot', 'wake']) {
    await home.act('button', 'press', `button.hearth_node_n1_${verb}`);
    await asked(`hearth/node/n1/do/${verb}`, 'PRESS');
  }

  // Nothing was taken for granted: the state is the room's, not the wish.
  assert.equal((await home.wait('climate.hearth_study')).attributes.temperature, 21);
  await client.publish('hearth/room/study/is', JSON.stringify({ ...sampleRoom, target_c: 22.5, preset: 'eco' }), {
    retain: true,
  });
  await home.wait(
    'climate.hearth_study',
    ({ attributes }) => attributes.temperature === 22.5 && attributes.preset_mode === 'eco',
  );
  await client.publish('hearth/room/study/status', 'offline', { retain: true });
  await home.wait('climate.hearth_study', ({ state }) => state === 'unavailable');
  assert.equal((await home.wait('switch.hearth_study_allowed')).state, 'on');
  await client.publish('hearth/status', 'offline', { retain: true });
  await home.wait('switch.hearth_study_allowed', ({ state }) => state === 'unavailable');
  await home.wait('binary_sensor.hearth_connectivity', ({ state }) => state === 'off');
  for (const topic of ['hearth/status', 'hearth/room/study/status'])
    await client.publish(topic, 'online', { retain: true });
  await home.wait('climate.hearth_study', ({ state }) => state === 'heat');

  // Home Assistant ends and begins again: everything is there without a word from us.
  await home.restart();
  await home.wait('climate.hearth_study', ({ attributes }) => attributes.temperature === 22.5);

  // A node goes: its announcement is cleared, and with it its device.
  for (const topic of discovery(sampleView).keys())
    if (topic.includes('node_pi')) await client.publish(topic, '', { retain: true });
  await until('the device is gone', async () => (await devicesOf(home)).length === 4);
  const isOfPi = ({ entity_id }: Entity) => entity_id.includes('_pi_');
  await until('its entities are gone', async () => !(await entitiesOf(home)).some(isOfPi));

  assert.deepEqual(home.complaints(), []);
  await client.close();
  await removeEntry(home, entry);
  await broker.process.stop();
});

test.run();
