/** The supervisor's own answers to who may come in, for the broker that is measured: its authority, its accounts, its limits. */
import { createMemoryStore } from '../../../broker/store/memory.ts';
import { openAccounts } from '../../../broker/trust/accounts/accounts.ts';
import { type ClusterAuthority, openCertificateAuthority } from '../../../broker/trust/ca/certificate-authority.ts';
import type { Authenticator, Peer, Principal } from '../../../broker/trust/types.ts';
import type { Log } from '../../../shared/log.ts';
import { systemClock } from '../../../shared/system-clock.ts';
import { nodeOfClientId } from '../../../shared/topics.ts';

export interface TrustSettings {
  /** With the files of the authority. */
  readonly folder: string;
  readonly cluster: string;
  /** The one user, and the serial of their certificate. */
  readonly user: string;
  readonly serial: string;
  /** False: plain TCP, and everybody is taken for who a certificate with their client id would name. */
  readonly tls: boolean;
}

const owner: Principal = { role: 'admin', name: 'owner', how: 'owner' };
const most = 1e9;

/** Looked up for every packet as always, and never reached: here one machine is a whole fleet. */
const limits = {
  ...{ connectionsPerAddress: most, waitingPerAddress: most, connectsPerSecond: most, connectsAtOnce: most },
  ...{ connectionsPerPrincipal: most, packetsPerSecond: most, packetsAtOnce: most, bytesPerSecond: most },
  bytesAtOnce: most,
};

export const openAuthority = (folder: string, cluster: string, log: Log): Promise<ClusterAuthority> => {
  const clock = systemClock();
  const names = { hostname: 'localhost', addresses: () => ['127.0.0.1', '::1'] };
  return openCertificateAuthority({ folder, cluster, ...names, now: () => clock.wall(), clock, log });
};

export interface Trust {
  readonly authenticator: Authenticator;
  readonly limits: typeof limits;
  readonly authority?: ClusterAuthority;
}

export async function openTrust(settings: TrustSettings, base: string, log: Log): Promise<Trust> {
  const { folder, cluster, user, serial, tls } = settings;
  const clock = systemClock();
  const accounts = await openAccounts({
    ...{ base, clock, store: createMemoryStore() },
    nodes: { isRevoked: () => false, onRevoked() {} },
    audit: { record: entry => log.warn(entry, 'audit'), tail: () => [] },
  });
  const add = accounts.verbs.find(verb => verb.name === 'user.add');
  await add?.run({ name: user, role: 'operator' }, owner);
  await accounts.certificateIssued(user, serial, clock.wall() + 86_400_000);
  const { authenticator } = accounts;
  if (tls) return { authenticator, limits, authority: await openAuthority(folder, cluster, log) };
  const certified = (peer: Peer, clientId: string): Peer => {
    const node = nodeOfClientId(base, clientId);
    const certificate =
      node === undefined
        ? ({ kind: 'user', name: user, serial } as const)
        : ({ kind: 'node', name: node, serial } as const);
    return { ...peer, certificate };
  };
  return {
    limits,
    authenticator: {
      authenticate: (peer, asked) => authenticator.authenticate(certified(peer, asked.clientId), asked),
      onRevoked: listener => authenticator.onRevoked(listener),
    },
  };
}
