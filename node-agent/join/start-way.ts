/** What an agent does when it starts, or is told that there is something new: pure, from what was asked and what is kept. */
import type { JoinToken } from '../../shared/join-token.ts';
import type { AgentMemory } from '../disk.ts';
import { isAnother, type Machine } from './machine.ts';
import type { Former, Membership } from './membership.ts';

export interface Asked {
  /** A broker was named. `tls`: that of the cluster is meant, where the node belongs to one. */
  readonly broker?: { readonly tls: boolean };
  /** `HOST:PORT`. */
  readonly supervisor?: string;
  readonly token?: JoinToken;
  /** `--cluster`. */
  readonly cluster?: string;
  /** `--node`. */
  readonly node?: string;
}

export interface Kept {
  readonly memory?: AgentMemory | undefined;
  readonly member?: Membership | undefined;
  readonly adopted?: Membership | undefined;
  readonly former?: Former | undefined;
}

/** Where to ask, and as whom. */
export interface JoinPlan {
  /** `HOST:PORT`; absent: it is looked for on the network. */
  readonly address?: string;
  /** Absent: the first supervisor that answers at the address is believed, and a person compares the code. */
  readonly cluster?: string;
  readonly token?: JoinToken;
  /** The id that is asked for. */
  readonly node?: string;
  readonly former?: Former;
}

export type StartWay =
  /** At the broker that was named, or at this machine's own. */
  | { readonly kind: 'broker' }
  /** `next`: another cluster is to take it; it stays where it is until that one has. */
  | { readonly kind: 'member'; readonly member: Membership; readonly next?: JoinPlan }
  /** `next` as above, for a node that has joined its cluster without a certificate. */
  | { readonly kind: 'move'; readonly next: JoinPlan }
  /** `fresh`: with a key that nobody has refused yet. `copied`: everything here but the programs is another machine's. */
  | { readonly kind: 'join'; readonly plan: JoinPlan; readonly fresh?: true; readonly copied?: Membership }
  /** Another cluster has taken it already: what is left is to leave the first. */
  | { readonly kind: 'leave'; readonly adopted: Membership }
  /** No address, no cluster: the broker of this machine if there is one, else a supervisor on the network. */
  | { readonly kind: 'search'; readonly plan: JoinPlan }
  | { readonly kind: 'error'; readonly sentence: string };

export function startWay(asked: Asked, kept: Kept, machine: Machine): StartWay {
  const { token, supervisor, broker } = asked;
  const { member, adopted, former, memory } = kept;
  if (token && asked.cluster !== undefined && asked.cluster !== token.cluster) {
    return error(
      `the token is one of cluster ${token.cluster}, but --cluster says ${asked.cluster}: leave out --cluster`,
    );
  }
  if (adopted) return { kind: 'leave', adopted };
  // A named broker is another matter than the cluster's own network: this is how the supervisor runs its own node.
  if (broker && !broker.tls) {
    const either = '--broker names a broker without TLS, and --token joins by TLS: leave out one of them';
    return token && !memory?.cluster ? error(either) : { kind: 'broker' };
  }
  const where = (): string | undefined => supervisor ?? (token && `${token.host}:${token.port}`);
  const plan = (more: Partial<JoinPlan> = {}): JoinPlan => {
    const address = where();
    const cluster = token?.cluster ?? asked.cluster;
    return {
      ...(address === undefined ? {} : { address }),
      ...(cluster === undefined ? {} : { cluster }),
      ...(token === undefined ? {} : { token }),
      ...(asked.node === undefined ? {} : { node: asked.node }),
      ...more,
    };
  };
  if (member) {
    const fresh = token !== undefined && !member.tokens.includes(token.id);
    if (isAnother(member.machine, machine)) return { kind: 'join', plan: asCopy(member, plan()), copied: member };
    if (fresh && token.cluster !== member.cluster.fingerprint) return { kind: 'member', member, next: plan() };
    if (fresh && member.refused !== undefined) return { kind: 'join', plan: plan(), fresh: true };
    return contradiction(asked, member) ?? { kind: 'member', member };
  }
  if (former) return { kind: 'join', plan: { ...asCopy(former.membership, plan()), former } };
  // What a person said once is kept, as everywhere.
  const chosen = memory && (memory.cluster || !memory.defaulted) ? { node: asked.node ?? memory.node } : {};
  if (token || supervisor !== undefined) {
    const theirs = memory?.cluster?.fingerprint;
    if (token && theirs !== undefined && theirs !== token.cluster) return { kind: 'move', next: plan() };
    // A node that has a cluster without a certificate keeps its id when it gets one.
    return { kind: 'join', plan: plan(theirs === undefined ? chosen : { cluster: theirs, ...chosen }) };
  }
  if (broker || memory?.cluster) return { kind: 'broker' };
  return { kind: 'search', plan: plan(chosen) };
}

/** A copy asks where its original lives, and cannot have its id. */
function asCopy(original: Membership, plan: JoinPlan): JoinPlan {
  const cluster = plan.cluster ?? original.cluster.fingerprint;
  return { ...plan, cluster, address: plan.address ?? original.supervisor };
}

const error = (sentence: string): StartWay => ({ kind: 'error', sentence });

function contradiction({ cluster, node }: Asked, member: Membership): StartWay | undefined {
  if (cluster !== undefined && cluster !== member.cluster.fingerprint) {
    return error(
      `this node belongs to cluster ${member.cluster.fingerprint}, not ${cluster}: leave out --cluster, or move it with "hearth-agent adopt TOKEN"`,
    );
  }
  if (node !== undefined && node !== member.node) {
    return error(
      `this data folder belongs to node "${member.node}", not "${node}": leave out --node, or name another folder with --data`,
    );
  }
  return undefined;
}
