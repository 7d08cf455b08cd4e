/** Everything that decides whom this cluster believes, put together: the one file of trust that knows all its parts. */
import { join } from 'node:path';
import type { Signer } from '../../shared/authority.ts';
import { builtMs } from '../../shared/built.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { FabricEvent } from '../../shared/schemas/fabric.ts';
import type { Store } from '../../shared/store.ts';
import { createSocketOwners, type SocketOwners } from '../access/socket-owner.ts';
import { createDistribution, type Distribution } from '../artifacts/distribution.ts';
import { openArtifactStore } from '../artifacts/file-store.ts';
import { artifactVerbs } from '../artifacts/verbs.ts';
import { backupVerbs } from '../backup/take.ts';
import type { DataFolder } from '../data-folder.ts';
import type { FleetReader } from '../fleet/fleet.ts';
import type { WebArtifacts, WebTrust } from '../http/seams.ts';
import type { Told } from '../orders/answers.ts';
import { type Accounts, openAccounts } from './accounts/accounts.ts';
import { type OpenAudit, openAudit } from './accounts/audit.ts';
import { type ClusterAuthority, openCertificateAuthority } from './ca/certificate-authority.ts';
import { machineAddresses, machineName, serverNames } from './ca/server-names.ts';
import { SshAuthority } from './ca/ssh-authority.ts';
import { trustedNow } from './ca/trusted-now.ts';
import { caVerbs } from './ca/verbs.ts';
import type { JoinDesk } from './joining/desk.ts';
import { openJoinDesk } from './joining/open.ts';
import { Reach } from './reach.ts';
import { secretVerbs } from './secrets/verbs.ts';
import type { AdminVerb } from './types.ts';

export interface ClusterTrustParts {
  readonly folder: DataFolder;
  readonly store: Store;
  readonly signer: Signer;
  readonly base: string;
  readonly ver: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The built program's folder, and that of the install script's parts. */
  readonly dist: string;
  readonly deploy: string;
}

/** What the supervisor gives once it is there. */
export interface Fleet {
  readonly fleet: FleetReader;
  readonly events: { emit(level: FabricEvent['level'], kind: string, text: string, node?: string): void };
  publish(topic: string, text: string): void;
}

export interface ClusterTrust {
  readonly authority: ClusterAuthority;
  readonly accounts: Accounts;
  readonly desk: JoinDesk;
  readonly audit: OpenAudit;
  readonly owners: SocketOwners;
  readonly reach: Reach;
  readonly artifacts: WebArtifacts;
  readonly web: WebTrust;
  /** The agent that is handed out. */
  readonly agent: Distribution['agent'];
  /** Trusted epoch milliseconds. */
  readonly now: () => number;
  /** The supervisor is there: events, and the audit's topic. */
  attend(fleet: Fleet): void;
  told(told: Told): void;
  forgotten(node: string): void;
  close(): Promise<void>;
}

export async function openClusterTrust(parts: ClusterTrustParts): Promise<ClusterTrust> {
  const { folder, store, signer, base, ver, clock, random, log } = parts;
  const { cluster } = signer;
  const lastJournalMs = await newestEntryMs(store);
  const now = trustedNow(
    () => clock.wall(),
    () => builtMs,
    () => lastJournalMs,
  );
  const reach = new Reach();
  const owners = createSocketOwners();
  const audit = openAudit({ file: join(folder.logs, 'audit.log'), clock });
  let fleet: Fleet | undefined;

  const authority = await openCertificateAuthority({
    folder: folder.trust,
    cluster,
    hostname: machineName(),
    addresses: machineAddresses,
    now,
    clock,
    log,
  });
  const ssh = new SshAuthority(folder.trust, now);
  const artifactFolder = join(folder.cache, 'artifacts');
  const artifactStore = await openArtifactStore({ folder: artifactFolder, log });
  const distribution = createDistribution({
    store: artifactStore,
    folder: join(folder.cache, 'distribution'),
    ver,
    log,
    now,
    dist: parts.dist,
    deploy: parts.deploy,
  });
  const desk = await openJoinDesk({
    ca: authority,
    signer,
    base,
    log,
    now,
    random,
    clock,
    store,
    audit,
    fleet: {
      known: node => fleet?.fleet.get(node) !== undefined,
      online: node => fleet?.fleet.get(node)?.online === true,
    },
    brokers: () => reach.brokers(),
    entrance: () => reach.entrance(),
    installScript: () => distribution.installScript(),
    fetching: () => distribution.fetching(),
    event: (level, kind, text, node) => fleet?.events.emit(level, kind, text, node),
  });
  const accounts = await openAccounts({ base, store, clock, now, nodes: desk, audit });
  let trusted = authority.certificates();
  authority.onCertificates(() => {
    const before = trusted;
    trusted = authority.certificates();
    if (before.some(ca => !trusted.includes(ca))) desk.askAllAgain();
  });
  const verbs: AdminVerb[] = [
    ...accounts.verbs,
    ...desk.verbs,
    ...caVerbs({
      authority,
      ssh,
      isUser: name => accounts.hasUser(name),
      issued: (user, serial, notAfterMs) => accounts.certificateIssued(user, serial, notAfterMs),
    }),
    ...backupVerbs({ folder, store, cluster, base, ver, now }),
    ...artifactVerbs(artifactStore),
    ...secretVerbs({ sealKey: node => desk.sealKey(node) }),
  ];

  return {
    authority,
    accounts,
    desk,
    audit,
    owners,
    reach,
    now,
    artifacts: { store: artifactStore, distribution },
    agent: () => distribution.agent(),
    web: {
      authenticator: accounts.authenticator,
      sessions: accounts.sessions,
      audit,
      owners,
      verbs,
      desk,
      authority,
      names: () => {
        const { dns, ip } = serverNames(cluster, machineName(), machineAddresses());
        return [...ip, ...dns];
      },
    },
    attend(found) {
      fleet = found;
      audit.publishTo(text => found.publish(`${base}/audit`, text));
    },
    told({ what, target, ok, from }) {
      // What nodes ask for is theirs; what an outside broker brings has no name.
      const who = from?.user ?? 'unknown (outside broker)';
      audit.record({ who, how: from?.how ?? 'none', from: from?.address ?? 'unknown', what, target, ok });
    },
    forgotten(node) {
      desk
        .forget(node)
        .catch(error => log.error({ node, error: error.message }, 'a forgotten node keeps its certificate'));
    },
    async close() {
      desk.close();
      accounts.close();
      authority.close();
      await distribution.close();
      audit.close();
    },
  };
}

/** When the newest entry of the journal's history was made: 0 without one. */
async function newestEntryMs(store: Store): Promise<number> {
  const read = (prefix: string): Promise<string | undefined> =>
    new Promise((resolve, reject) =>
      store.read(prefix, (error, entries) => (error ? reject(error) : resolve(entries.at(-1)?.[1]))),
    );
  const rev = await read('meta/rev');
  const entry = rev === undefined ? undefined : await read(`j/${rev.padStart(16, '0')}`);
  try {
    const { at_ms } = JSON.parse(entry ?? '{}') as { at_ms?: unknown };
    return typeof at_ms === 'number' && Number.isFinite(at_ms) ? at_ms : 0;
  } catch {
    return 0;
  }
}
