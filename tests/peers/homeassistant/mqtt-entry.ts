/** The MQTT integration, set up as a person does it: through the pages of its config flow. */
import { until } from '../../fixture/processes.ts';
import type { HomeAssistant } from './home-assistant.ts';
import { devicesOf } from './registry.ts';

export interface Broker {
  readonly port: number;
  readonly protocol?: '5' | '3.1.1';
  readonly username?: string;
  readonly password?: string;
}

interface FlowStep {
  readonly flow_id: string;
  readonly type: string;
  readonly step_id?: string;
  readonly errors?: Readonly<Record<string, string>>;
  readonly result?: { readonly entry_id: string };
}

const flows = '/api/config/config_entries/flow';
const entries = '/api/config/config_entries/entry';

/** @returns the entry's id. @throws Error when Home Assistant cannot connect with these. */
export async function addMqtt(
  home: HomeAssistant,
  { port, protocol = '5', username, password }: Broker,
): Promise<string> {
  const first = await home.request<FlowStep>('POST', flows, { handler: 'mqtt' });
  const filled = {
    broker: '127.0.0.1',
    port,
    protocol,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    other_settings: { set_client_cert: false, set_ca_cert: 'off', transport: 'tcp' },
  };
  const last = await home.request<FlowStep>('POST', `${flows}/${first.flow_id}`, filled);
  if (last.type !== 'create_entry' || !last.result)
    throw new Error(`the MQTT entry was not made: ${JSON.stringify(last)}`);
  const id = last.result.entry_id;
  await until('the MQTT entry is loaded', async () => (await entryOf(home, id))?.state === 'loaded');
  return id;
}

/** With all its devices: nobody who comes after it finds any. */
export async function removeEntry(home: HomeAssistant, id: string): Promise<void> {
  await home.request('DELETE', `${entries}/${id}`);
  await until('the devices of the MQTT entry are gone', async () => (await devicesOf(home)).length === 0);
}

async function entryOf(home: HomeAssistant, id: string): Promise<{ readonly state: string } | undefined> {
  const all = await home.request<{ entry_id: string; state: string }[]>('GET', entries);
  return all.find(({ entry_id }) => entry_id === id);
}
