/** The broker that the supervisor runs on: the embedded one, or the way to an outside one. */
import type { Duplex } from 'node:stream';
import type { Bus } from '../shared/bus.ts';
import type { Log } from '../shared/log.ts';
import { systemClock, systemRandom } from '../shared/system-clock.ts';
import { UserError } from '../shared/user-error.ts';
import type { SupervisorConfig } from './config.ts';
import type { DataFolder } from './data-folder.ts';
import { createEmbeddedBroker } from './mqtt/embedded.ts';
import { connectOutsideBus } from './mqtt/outside.ts';
import { everywhere, loopback, partStopMs, type Undo, within } from './parts.ts';
import type { ClusterTrust } from './trust/cluster-trust.ts';
import type { CertificateAuthority, Peer } from './trust/types.ts';

export interface BrokerPart {
  readonly bus: Bus;
  /** Opens the port, where there is one to open. Resolves with the port that clients use. */
  listen(): Promise<number>;
  /** The same for the network, with TLS. Absent where the broker is an outside one. */
  readonly listenTls?: (authority: CertificateAuthority) => Promise<number>;
  readonly attach?: (stream: Duplex, peer: Peer) => void;
}

export async function openBroker(
  config: SupervisorConfig,
  folder: DataFolder,
  trust: Pick<ClusterTrust, 'accounts' | 'owners'>,
  log: Log,
  undo: Undo[],
): Promise<BrokerPart> {
  if (config.broker !== undefined) {
    const url = new URL(config.broker);
    const common = { url: config.broker, base: config.base, log, clock: systemClock(), random: systemRandom() };
    const bus = connectOutsideBus(common);
    undo.push(() => within(partStopMs, done => bus.stop(done)));
    return { bus, listen: () => Promise.resolve(Number(url.port) || (url.protocol === 'mqtts:' ? 8883 : 1883)) };
  }
  const broker = await createEmbeddedBroker({
    base: config.base,
    cacheFolder: folder.cache,
    log,
    authenticator: trust.accounts.authenticator,
    owners: trust.owners,
  });
  undo.push(() => broker.close());
  return {
    bus: broker.bus,
    listen: () =>
      broker
        .listen({ host: loopback, port: config.mqttPort })
        .catch(error => Promise.reject(portError(error, '--mqtt-port', config.mqttPort))),
    listenTls: authority =>
      onEveryAddress(host => broker.listenTls({ host, port: config.tlsPort, authority })).catch(error =>
        Promise.reject(portError(error, '--tls-port', config.tlsPort)),
      ),
    attach: (stream, peer) => broker.attach(stream, peer),
  };
}

/** On a machine whose kernel has no IPv6, its IPv4 addresses are all there are. */
export async function onEveryAddress<T>(listen: (host: string) => Promise<T>): Promise<T> {
  try {
    return await listen(everywhere);
  } catch (error) {
    const text = `${(error as NodeJS.ErrnoException).code} ${(error as Error).message}`;
    if (!/EAFNOSUPPORT|EADDRNOTAVAIL/.test(text)) throw error;
    return listen('0.0.0.0');
  }
}

/** A port that cannot be had, as one sentence with the way out. */
export function portError(error: unknown, flag: string, port: number): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  const taken = code === 'EADDRINUSE' || /taken|EADDRINUSE/.test(message);
  const denied = code === 'EACCES' || /EACCES/.test(message);
  if (!taken && !denied) return error;
  const why = taken ? 'is taken by another program' : 'may not be opened by this user';
  const instead =
    flag === '--mqtt-port' && taken ? `, or use the broker that is there with --broker mqtt://${loopback}:${port}` : '';
  return new UserError(
    `Port ${port} of ${loopback} ${why}: choose another with ${flag} PORT (0 picks a free one)${instead}.`,
  );
}
