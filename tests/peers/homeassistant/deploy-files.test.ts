/**
 * The files of deploy/homeassistant, each loaded by the real Home Assistant; and its energy dashboard on our numbers.
 * Shares home-assistant: two of it at a time are too much for a small machine.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import { parse } from 'yaml';
import { startMosquitto } from '../../fixture/mosquitto.ts';
import { connectClient } from '../../fixture/mqtt-client.ts';
import { until } from '../../fixture/processes.ts';
import { testWith } from '../../fixture/programs.ts';
import { openBrowser } from '../../system/dashboard/browser.ts';
import { type HomeAssistant, needs, sharedHome } from './home-assistant.ts';
import { addMqtt, removeEntry } from './mqtt-entry.ts';
import { addView, openPage } from './page.ts';
import { publishSample, publishTelemetry } from './sample-cluster.ts';

const test = suite('files for home assistant');
const shared = sharedHome(test);

const file = (name: string) => readFileSync(join(import.meta.dirname, '../../../deploy/homeassistant', name), 'utf8');
const sensor = 'sensor.thermometer';
const measure = (home: HomeAssistant, state: string, unit = '°C') =>
  home.request('POST', `/api/states/${sensor}`, {
    state,
    attributes: { device_class: 'temperature', unit_of_measurement: unit },
  });

testWith(test, needs, 'the blueprint: a thermometer’s readings arrive, on change and again', async () => {
  const broker = await startMosquitto();
  const home = shared();
  const entry = await addMqtt(home, { port: broker.port });
  const client = await connectClient(broker.url, ['hearth/room/+/in/+']);
  /** It, and no other word before it than the reading that is said again every five minutes. */
  const arrives = async (topic: string, text: string) => {
    const { retain } = await client.wait(
      `${topic} ${text}`,
      message => message.topic === topic && message.text === text,
    );
    assert.ok(!retain);
    assert.ok(client.heard.every(message => ['20.5', text].includes(message.text)));
    client.forget();
  };

  const path = 'hearth/thermometer.yaml';
  await home.ask('blueprint/save', { domain: 'automation', path, yaml: file('thermometer-blueprint.yaml') });
  await measure(home, '20.0');
  const add = async (id: string, input: object) => {
    const automation = { alias: id, use_blueprint: { path, input: { thermometer: sensor, ...input } } };
    await home.request('POST', `/api/config/automation/config/${id}`, automation);
    await home.wait(`automation.${id}`, ({ state }) => state === 'on');
  };
  await add('study', { room: 'study' });
  await measure(home, '20.5');
  await arrives('hearth/room/study/in/temp_c', '20.5');
  // As every five minutes: nothing has changed, and it is said again.
  await home.act('automation', 'trigger', 'automation.study', { skip_condition: false });
  await arrives('hearth/room/study/in/temp_c', '20.5');
  await measure(home, 'unavailable');
  await measure(home, '68', '°F');
  await arrives('hearth/room/study/in/temp_c', '20.0');

  await add('outdoors', { room: 'study', reading: 'outdoor_c', base: 'warm' });
  const other = await connectClient(broker.url, ['warm/#']);
  await measure(home, '-3.5');
  await other.wait(
    'the outdoor reading',
    ({ topic, text }) => topic === 'warm/room/study/in/outdoor_c' && text === '-3.5',
  );
  assert.deepEqual(home.complaints(), []);
  await other.close();
  await client.close();
  await removeEntry(home, entry);
  await broker.process.stop();
});

testWith(
  test,
  [...needs, 'chromium'],
  'the view shows a thermostat, and every entity that it names is there',
  async () => {
    const broker = await startMosquitto();
    const home = shared();
    const entry = await addMqtt(home, { port: broker.port });
    const client = await connectClient(broker.url, ['hearth/room/+/set/#']);
    await publishSample(client);
    await home.wait('sensor.hearth_node_n1_cpu');
    await publishTelemetry(client, home);
    await home.wait('sensor.hearth_study_energy', ({ state }) => state === '12.345678');

    const text = file('dashboard-view.yaml');
    const named = [...text.matchAll(/\b[a-z_]+\.hearth_\w+/g)].map(([entity]) => entity);
    assert.ok(named.length > 0);
    let missing: readonly string[] = [];
    await until(
      () => `there is ${missing.join(', ')}`,
      async () => {
        const states = new Set((await home.states()).map(({ entity_id }) => entity_id));
        missing = named.filter(entity => !states.has(entity));
        return missing.length === 0;
      },
    );
    const path = await addView(home, parse(text));
    const browser = await openBrowser();
    try {
      const page = await openPage(browser, home, path);
      await page.locator('hui-thermostat-card').waitFor();
      await page.getByText('Asked for').waitFor();
      assert.equal(await page.locator('hui-error-card').count(), 0);
      // What a person turns there arrives.
      await page.locator('hui-thermostat-card').getByRole('button', { name: 'Increase' }).first().click();
      await client.wait(
        'the target',
        ({ topic, text }) => topic === 'hearth/room/study/set/target_c' && text === '21.5',
      );
    } finally {
      await browser.close();
    }

    // The energy dashboard: Home Assistant itself judges whether the numbers fit.
    const device_consumption = [
      { stat_consumption: 'sensor.hearth_study_energy', stat_rate: 'sensor.hearth_study_power' },
      { stat_consumption: 'sensor.hearth_node_n1_energy', included_in_stat: 'sensor.hearth_study_energy' },
    ];
    await home.ask('energy/save_prefs', { device_consumption });
    await until('it finds nothing wrong', async () => {
      const judged = await home.ask<{ device_consumption: { type?: string }[][] }>('energy/validate');
      return judged.device_consumption.flat().every(({ type }) => type === 'statistics_not_defined');
    });
    assert.deepEqual(home.complaints(), []);
    await client.close();
    await removeEntry(home, entry);
    await broker.process.stop();
  },
);

test.run();
