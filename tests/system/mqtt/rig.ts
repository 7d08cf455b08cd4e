/** The embedded broker in this process, what its bus was told, and a way to run a test on a fresh one. */
import type { Test } from 'uvu';
import {
  type BrokerLimits,
  createEmbeddedBroker,
  type EmbeddedBroker,
  type EmbeddedOptions,
} from '../../../broker/mqtt/embedded.ts';
import type { BusConnection, BusMessage } from '../../../shared/bus.ts';
import { type Log, silentLog } from '../../../shared/log.ts';
import { endAll } from './wire.ts';

export const base = 'hearth';

export interface Rig {
  readonly broker: EmbeddedBroker;
  readonly port: number;
  readonly told: string[];
  readonly messages: BusMessage[];
  readonly connections: BusConnection[];
  publish(topic: string, payload: string, options?: { qos?: 0 | 1; retain?: boolean }): Promise<void>;
}

export interface RigOptions {
  readonly limits?: Partial<BrokerLimits>;
  readonly cacheFolder?: string;
  readonly filters?: readonly string[];
  readonly log?: Log;
  /** Everybody owns the machine where absent. */
  readonly authenticator?: EmbeddedOptions['authenticator'];
}

export async function openRig(options: RigOptions = {}): Promise<Rig> {
  const { limits, cacheFolder, filters = [`${base}/#`], log = silentLog, authenticator = 'open' } = options;
  const broker = await createEmbeddedBroker({
    base,
    log,
    authenticator,
    ...(limits && { limits }),
    ...(cacheFolder && { cacheFolder }),
  });
  const told: string[] = [];
  const messages: BusMessage[] = [];
  const connections: BusConnection[] = [];
  const up = new Promise<void>(resolve =>
    broker.bus.start(filters, {
      up: resolve,
      down() {},
      message(message) {
        messages.push(message);
        if (messages.length > 10_000) messages.splice(0, 5000);
        if (told.length < 10_000)
          told.push(`${message.topic} ${Buffer.from(message.payload).toString('latin1', 0, 60)}`);
      },
      connected(connection) {
        connections.push(connection);
        told.push(`+ ${connection.clientId}`);
      },
      disconnected: ({ clientId }) => void told.push(`- ${clientId}`),
      refused: (message, reason) => {
        if (told.length < 10_000) told.push(`refused ${message.topic.slice(0, 60)}: ${reason}`);
      },
    }),
  );
  await up;
  const port = await broker.listen({ host: '127.0.0.1', port: 0 });
  return {
    broker,
    port,
    told,
    messages,
    connections,
    publish: (topic, payload, { qos = 1, retain = false } = {}) =>
      new Promise((resolve, reject) => {
        broker.bus.publish(topic, payload, { qos, retain }, error => (error ? reject(error) : resolve()));
      }),
  };
}

/** Registers a test that gets a broker of its own, closed at its end. */
export function withBroker(
  suite: Test,
  name: string,
  run: (rig: Rig) => Promise<void>,
  options: RigOptions = {},
): void {
  suite(name, async () => {
    const rig = await openRig(options);
    try {
      await run(rig);
    } finally {
      endAll();
      await rig.broker.close();
    }
  });
}
