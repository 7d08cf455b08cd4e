/**
 * The rig itself: a thermostat announced by hand on Mosquitto is an entity, and what is asked of it arrives as MQTT.
 * Shares home-assistant: two of it at a time are too much for a small machine.
 */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { startMosquitto } from '../../fixture/mosquitto.ts';
import { connectClient } from '../../fixture/mqtt-client.ts';
import { until } from '../../fixture/processes.ts';
import { testWith } from '../../fixture/programs.ts';
import { needs, startHomeAssistant } from './home-assistant.ts';
import { addMqtt } from './mqtt-entry.ts';

const test = suite('home assistant, by hand');

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
  const home = await startHomeAssistant();
  await addMqtt(home, { port: broker.port });
  const client = await connectClient(broker.url, ['hand/set/#']);
  await client.publish('homeassistant/device/by_hand/config', JSON.stringify(announcement), { retain: true });
  await client.publish('hand/status', 'online', { retain: true });
  await client.publish('hand/mode', 'heat', { retain: true });
  await client.publish('hand/target', '19.5', { retain: true });
  const { attributes } = await home.wait('climate.by_hand', ({ state }) => state === 'heat');
  assert.equal(attributes.temperature, 19.5);
  await home.act('climate', 'set_temperature', 'climate.by_hand', { temperature: 21.5 });
  await client.wait('the target', ({ topic, text }) => topic === 'hand/set/target' && text === '21.5');
  assert.deepEqual(home.complaints(), []);

  // What it says of a payload that it does not like is what the other tests look for.
  await client.publish('homeassistant/device/wrong/config', '{"dev":{"ids":["w"]},"cmps":{}}');
  await until('it complains', () => home.complaints().length > 0);
  assert.match(home.complaints()[0] ?? '', /mqtt/);
  await client.close();
  await home.stop();
  await broker.process.stop();
});

test.run();
