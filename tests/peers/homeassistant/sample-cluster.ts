/** A made-up cluster: what is announced of it, and what lies on its topics. */
import { discovery } from '../../../broker/homeassistant/payload.ts';
import type { HaView } from '../../../broker/homeassistant/view.ts';
import type { TestClient } from '../../fixture/mqtt-client.ts';
import { until } from '../../fixture/processes.ts';
import type { HomeAssistant } from './home-assistant.ts';

export const sampleView: HaView = {
  base: 'hearth',
  prefix: 'homeassistant',
  ver: '1.2.3',
  cluster: '0123456789abcdef0123456789abcdef',
  url: 'https://192.168.1.2:22581/',
  rooms: [
    { id: 'study', name: 'Arbeitszimmer 🔥', outdoor: true },
    { id: 'living-room', minC: 10, maxC: 24 },
  ],
  nodes: [
    {
      id: 'n1',
      info: { cpu: 'Intel(R) Core(TM) i5-4590', os: 'Debian 12', arch: 'x64', ver: '1.2.3', caps: 'root,reboot' },
      room: 'study',
      has: new Set(['cpu_pct', 'mem_pct', 'load1', 'temp_c', 'cpu_mhz', 'jobs']),
      power: true,
      wakes: true,
      loadEveryMs: 5000,
    },
    { id: 'pi', info: { ver: '1.2.2' }, room: 'living-room', has: new Set(['cpu_pct']), power: false, wakes: false },
  ],
  watts: true,
};

const room = (id: string, more: object) => ({
  room: id,
  mode: 'heat',
  target_c: 21,
  temp_c: 19.4,
  preset: 'none',
  action: 'heating',
  demand_w: 240,
  heat_w: 231.5,
  energy_kwh: 12.345678,
  nodes: 1,
  temp_age_s: 12,
  jobs: 3,
  err: '',
  ...more,
});

export const sampleRoom = room('study', { outdoor_c: 3.5, max_w: 400 });

const retained: Readonly<Record<string, string>> = {
  'hearth/status': 'online',
  'hearth/room/study/status': 'online',
  'hearth/room/study/is': JSON.stringify(sampleRoom),
  'hearth/room/living-room/status': 'online',
  'hearth/room/living-room/is': JSON.stringify(room('living-room', { action: 'idle', err: 'no thermometer' })),
  'hearth/node/n1/status': 'online',
  'hearth/node/n1/info': JSON.stringify({ node: 'n1', ver: '1.2.3', os: 'Debian 12' }),
  'hearth/node/n1/is': JSON.stringify({ node: 'n1', epoch: 3, state: 'ready', rev: 7, err: '', ver: '1.2.3' }),
  'hearth/node/pi/status': 'offline',
  'hearth/node/pi/info': JSON.stringify({ node: 'pi', ver: '1.2.2' }),
};
const passing: Readonly<Record<string, string>> = {
  'hearth/info': JSON.stringify({
    ver: '1.2.3',
    nodes: 2,
    online: 1,
    cores: 8,
    watts: 64.2,
    jobs_queued: 5,
    jobs_running: 3,
  }),
  'hearth/node/n1/load': JSON.stringify({
    ...{ node: 'n1', epoch: 3, seq: 9, cpu_pct: 93.4, load1: 3.9, mem_pct: 41.2, mem_mb: 6544, disk_pct: 20 },
    ...{ temp_c: 61.5, cpu_mhz: 3300, rx_kbps: 1, tx_kbps: 2, jobs: 3, up_s: 4000 },
  }),
  'hearth/node/n1/power': JSON.stringify({
    ...{ node: 'n1', watts: 64.2, watts_source: 'meter', err_w: 1, energy_kwh: 3.25, heat_cores: 4, heat_w: 40 },
  }),
};

export async function publishSample(client: TestClient, view: HaView = sampleView): Promise<void> {
  for (const [topic, text] of Object.entries(retained)) await client.publish(topic, text, { retain: true });
  for (const [topic, text] of discovery(view)) await client.publish(topic, text, { retain: true });
}

/** What is not retained, as every few seconds, until Home Assistant has all of it. */
export async function publishTelemetry(client: TestClient, home: HomeAssistant): Promise<void> {
  const shown: Readonly<Record<string, string>> = {
    'sensor.hearth_node_n1_cpu': '93.4',
    'sensor.hearth_node_n1_power': '64.2',
    'sensor.hearth_jobs_running': '3',
    'update.hearth_node_n1_agent': 'off',
  };
  await until('the telemetry is seen', async () => {
    for (const [topic, text] of Object.entries(passing)) await client.publish(topic, text);
    const states = new Map((await home.states()).map(({ entity_id, state }) => [entity_id, state]));
    return Object.entries(shown).every(([entity, state]) => states.get(entity) === state);
  });
}
