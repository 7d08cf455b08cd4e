/**
 * Draws docs/homeassistant.png: the real Home Assistant with deploy/homeassistant/dashboard-view.yaml on made-up announcements.
 * `node deploy/start.mjs --run docs/homeassistant-screenshot.ts`, as root.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { startMosquitto } from '../tests/fixture/mosquitto.ts';
import { connectClient } from '../tests/fixture/mqtt-client.ts';
import { startHomeAssistant } from '../tests/peers/homeassistant/home-assistant.ts';
import { addMqtt } from '../tests/peers/homeassistant/mqtt-entry.ts';
import { addView, openPage } from '../tests/peers/homeassistant/page.ts';
import { publishSample, publishTelemetry, sampleView } from '../tests/peers/homeassistant/sample-cluster.ts';
import { openBrowser } from '../tests/system/dashboard/browser.ts';

const root = join(import.meta.dirname, '..');
const broker = await startMosquitto();
const home = await startHomeAssistant();
const browser = await openBrowser();
try {
  await addMqtt(home, { port: broker.port });
  const client = await connectClient(broker.url);
  const rooms = sampleView.rooms.map(room => (room.id === 'study' ? { ...room, name: 'Study' } : room));
  await publishSample(client, { ...sampleView, rooms });
  await home.wait('sensor.hearth_node_n1_cpu');
  await publishTelemetry(client, home);
  const view = parse(readFileSync(join(root, 'deploy/homeassistant/dashboard-view.yaml'), 'utf8'));
  const page = await openPage(browser, home, await addView(home, view), { width: 1180, height: 640 });
  await page.locator('hui-thermostat-card').waitFor();
  await page.getByText('Tasks running').waitFor();
  await page.locator('state-history-charts canvas, state-history-charts svg').first().waitFor();
  await publishTelemetry(client, home);
  // The dial turns to its value.
  await page.waitForTimeout(2000);
  await page.screenshot({ path: join(root, 'docs/homeassistant.png') });
  await client.close();
} finally {
  await browser.close();
  await home.stop();
  await broker.process.stop();
}
