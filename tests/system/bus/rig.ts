/** A broker, the bus on it, and everything a test connects to it; all gone at the end of the test. */
import type { Callback, Test } from 'uvu';
import { createEmbeddedBroker } from '../../../broker/mqtt/embedded.ts';
import { connectOutsideBus } from '../../../broker/mqtt/outside.ts';
import type { Bus } from '../../../shared/bus.ts';
import { silentLog } from '../../../shared/log.ts';
import { systemClock, systemRandom } from '../../../shared/system-clock.ts';
import { startMosquitto } from '../../fixture/mosquitto.ts';
import { folder } from '../../fixture/processes.ts';
import { testWith } from '../../fixture/programs.ts';
import { Listener } from './listener.ts';
import { Peer, type PeerOptions } from './peer.ts';

export const base = 'hearth';

export type Kind = 'embedded' | 'outside';

export class Rig {
  readonly kind: Kind;
  readonly port: number;
  readonly bus: Bus;
  readonly listener: Listener;
  private readonly peers: Peer[] = [];
  private readonly closeBroker: () => Promise<unknown>;

  static async open(kind: Kind): Promise<Rig> {
    if (kind === 'embedded') {
      const broker = await createEmbeddedBroker({ base, cacheFolder: folder(), log: silentLog, authenticator: 'open' });
      const port = await broker.listen({ host: '127.0.0.1', port: 0 });
      return new Rig(kind, port, broker.bus, () => broker.close());
    }
    // By default Mosquitto drops what more than 1,000 unacknowledged messages to one client would need.
    const mosquitto = await startMosquitto(['max_queued_messages 0']);
    return new Rig(kind, mosquitto.port, outsideBus(mosquitto.url), () => mosquitto.process.stop());
  }

  private constructor(kind: Kind, port: number, bus: Bus, closeBroker: () => Promise<unknown>) {
    this.kind = kind;
    this.port = port;
    this.bus = bus;
    this.listener = new Listener(bus);
    this.closeBroker = closeBroker;
  }

  async peer(options: PeerOptions = {}): Promise<Peer> {
    const peer = await Peer.connect(this.port, options);
    this.peers.push(peer);
    return peer;
  }

  async close(): Promise<void> {
    for (const peer of this.peers) peer.client.end(true);
    await this.listener.stop();
    await this.closeBroker();
  }
}

export const outsideBus = (url: string, more: { username?: string; password?: string } = {}): Bus =>
  connectOutsideBus({ url, base, log: silentLog, clock: systemClock(), random: systemRandom(), ...more });

/** Registers a test for a kind of bus, skipped by name where the programs it needs are missing. */
export type Register = (name: string, run: (rig: Rig) => Promise<void>, needs?: readonly string[]) => void;

export function registerFor(suite: Test, kind: Kind): Register {
  return (name, run, needs = []) => {
    const programs = kind === 'outside' ? ['mosquitto', ...needs] : needs;
    const test: Callback = async () => {
      const rig = await Rig.open(kind);
      try {
        await run(rig);
      } finally {
        await rig.close();
      }
    };
    testWith(suite, [...new Set(programs)], `${kind}: ${name}`, test);
  };
}
