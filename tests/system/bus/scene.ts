/** Mosquitto, a proxy before it that can misbehave, and the bus on the proxy. */
import type { Test } from 'uvu';
import { connectOutsideBus } from '../../../broker/mqtt/outside.ts';
import type { Clock } from '../../../shared/clock.ts';
import { silentLog } from '../../../shared/log.ts';
import { systemClock, systemRandom } from '../../../shared/system-clock.ts';
import { type Mosquitto, startMosquitto } from '../../fixture/mosquitto.ts';
import { testWith } from '../../fixture/programs.ts';
import { Listener } from './listener.ts';
import { Peer } from './peer.ts';
import { type FiveIs, startProxy, type TcpProxy } from './proxy.ts';
import { base } from './rig.ts';

export const filter = 'hearth/node/+/set/#';

export interface Scene {
  readonly mosquitto: Mosquitto;
  readonly proxy: TcpProxy;
  readonly listener: Listener;
  peer(): Promise<Peer>;
}

export interface SceneOptions {
  readonly settings?: readonly string[];
  readonly five?: FiveIs;
  readonly clock?: Clock;
  readonly username?: string;
  readonly password?: string;
}

/** Mosquitto, a proxy before it, and the bus on the proxy; the peers go to Mosquitto itself. */
export async function scene(options: SceneOptions, run: (scene: Scene) => Promise<void>): Promise<void> {
  const mosquitto = await startMosquitto(options.settings);
  const proxy = await startProxy(mosquitto.port, options.five);
  const { clock = systemClock(), username, password } = options;
  const credentials = { ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
  const listener = new Listener(
    connectOutsideBus({ url: proxy.url, base, log: silentLog, clock, random: systemRandom(), ...credentials }),
  );
  const peers: Peer[] = [];
  const peer = async () => {
    const fresh = await Peer.connect(mosquitto.port, credentials);
    peers.push(fresh);
    return fresh;
  };
  try {
    await run({ mosquitto, proxy, listener, peer });
  } finally {
    await listener.stop();
    for (const each of peers) each.client.end(true);
    await proxy.close();
    await mosquitto.process.stop();
  }
}

/** Registers a test of the bus on an outside broker. */
export type RegisterOutside = (name: string, run: () => Promise<void>, needs?: readonly string[]) => void;

export const registerOutside =
  (suite: Test): RegisterOutside =>
  (name, run, needs = []) =>
    testWith(suite, ['mosquitto', ...needs], `outside: ${name}`, run);
