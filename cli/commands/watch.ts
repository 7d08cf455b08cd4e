/** `hearth watch`: what happens, as it happens, one line each. */
import type { MqttClient } from 'mqtt';
import { checkId, nearest, printable } from '../../shared/names.ts';
import { topicsOf } from '../../shared/topics.ts';
import { UserError } from '../../shared/user-error.ts';
import { type ClientFlags, connect, disconnect } from '../connection.ts';
import { untilEnded } from '../ending.ts';
import { gather } from '../fleet.ts';
import { Narrator } from '../narrator.ts';
import { supervisorAway } from './nodes.ts';

export interface WatchFlags extends ClientFlags {
  /** No periodic measurements. */
  readonly quiet?: boolean;
}

/** Runs until Ctrl-C; then 0. */
export async function watch(node: string | undefined, flags: WatchFlags): Promise<number> {
  const asked = node === undefined ? undefined : checkId(node, 'node');
  if (asked && !asked.ok) throw new UserError(`${asked.error.message}.`, 2);
  const { client, base, broker } = await connect(flags, { reconnectPeriod: 2000 });
  const ended = untilEnded();
  const narrator = new Narrator(base, { node, loads: !flags.quiet });
  client.on('close', () => console.error('hearth: the connection is lost; trying again …'));
  client.on('connect', () => {
    console.error('hearth: connected again.');
    subscribe(client, base, node);
  });
  await Promise.race([sayWhoIsMissing(), ended]);
  client.on('message', (topic, payload, packet) => {
    const text = narrator.tell(topic, payload, packet.retain);
    if (text !== undefined) console.log(`${clockTime(new Date())}  ${text}`);
  });
  subscribe(client, base, node);
  await ended;
  client.removeAllListeners('close');
  await disconnect(client);
  return 0;

  async function sayWhoIsMissing(): Promise<void> {
    const known = await gather(client, base).catch(() => undefined);
    if (!known) return;
    if (known.supervisor !== 'online') console.error(`hearth: ${supervisorAway(known, base, broker)}`);
    if (node === undefined || known.nodes.has(node)) return;
    const near = nearest(node, known.nodes.keys());
    console.error(`hearth: no node "${node}" is known here${near ? ` (did you mean ${near}?)` : ''}; waiting for it …`);
  }
}

function subscribe(client: MqttClient, base: string, node: string | undefined): void {
  const topics = topicsOf(base);
  const filters =
    node === undefined ? [`${base}/#`] : [topics.fabric('status'), topics.fabric('event'), `${base}/node/${node}/#`];
  client.subscribe(filters, { qos: 1 }, error => {
    if (error) console.error(`hearth: the broker refuses the subscription: ${printable(error.message, 200)}`);
  });
}

const clockTime = (date: Date): string => date.toTimeString().slice(0, 8);
