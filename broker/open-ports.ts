/** What listens, and for whom: this machine alone, or with `--lan` the network, with TLS and logins. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../shared/log.ts';
import { systemClock, systemRandom } from '../shared/system-clock.ts';
import { type BrokerPart, onEveryAddress, portError } from './broker-part.ts';
import type { SupervisorConfig } from './config.ts';
import type { DataFolder } from './data-folder.ts';
import type { FleetReader } from './fleet/fleet.ts';
import type { WebRooms } from './http/seams.ts';
import { startHttp } from './http/server.ts';
import type { Installation } from './main.ts';
import { advertise } from './mdns/advertise.ts';
import type { Mirror } from './mirror/mirror.ts';
import { loopback, partStopMs, type Undo, within } from './parts.ts';
import type { ClusterTrust } from './trust/cluster-trust.ts';

export interface OpenPortsParts {
  readonly config: SupervisorConfig;
  readonly folder: DataFolder;
  readonly broker: BrokerPart;
  readonly trust: ClusterTrust;
  readonly fleet: FleetReader;
  readonly rooms: WebRooms;
  readonly installation: Installation;
  readonly log: Log;
  readonly undo: Undo[];
}

export interface OpenPorts {
  readonly mqtt: number;
  readonly http: number;
  readonly tls?: number;
}

export async function openPorts(parts: OpenPortsParts): Promise<OpenPorts> {
  const { config, broker, trust, fleet, rooms, installation, log, undo } = parts;
  const { lan } = config;
  const mqtt = await broker.listen();
  const tls = lan ? await broker.listenTls?.(trust.authority) : undefined;
  const mirror = await mirrorOf(parts);
  const listen = (host: string) =>
    startHttp({
      host,
      port: config.httpPort,
      fleet,
      rooms,
      attach: broker.attach,
      log,
      dashboardFolder: installation.dashboardFolder,
      mqttPort: mqtt,
      trust: trust.web,
      artifacts: trust.artifacts,
      mirror,
    });
  const web = await (lan ? onEveryAddress(listen) : listen(loopback)).catch(error =>
    Promise.reject(portError(error, '--http-port', config.httpPort)),
  );
  undo.push(() => web.close());
  if (lan) {
    trust.reach.ports.http = web.port;
    trust.reach.ports.tls = tls;
  }
  // On an outside broker nobody joins.
  if (tls !== undefined) {
    const { cluster } = trust.authority.standing();
    const names = { cluster, ver: installation.ver, hostname: hostname(), httpPort: web.port, tlsPort: tls };
    const advertised = advertise({ ...names, clock: systemClock(), random: systemRandom(), log });
    undo.push(() => within(partStopMs, done => advertised.close(done)));
    // The first join line should not have to wait for a runtime of 40 MB.
    // What went wrong with it is in the log, and it is tried again when it is asked for.
    trust.artifacts.distribution.installScript().catch(() => {});
  }
  return { mqtt, http: web.port, ...(tls === undefined ? {} : { tls }) };
}

/** Loaded where it is switched on alone. */
async function mirrorOf({ config, folder, log, undo }: OpenPortsParts): Promise<Mirror | undefined> {
  if (config.mirror === undefined) return undefined;
  const [{ openMirror }, { readUpstreams }] = await Promise.all([
    import('./mirror/mirror.ts'),
    import('./mirror/upstreams.ts'),
  ]);
  const upstreams = readUpstreams(config.mirror);
  const mirror = await openMirror({ folder: join(folder.cache, 'mirror'), upstreams, now: () => Date.now(), log });
  undo.push(() => mirror.close());
  return mirror;
}
