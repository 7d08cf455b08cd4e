/** Who this node is: its id, its installation, its cluster. Decided once, then kept on disk for ever. Pure. */
import type { Random } from '../../shared/clock.ts';
import { idFromHostname } from '../../shared/names.ts';
import type { AgentMemory } from '../disk.ts';

export interface IdentityChoice {
  /** `--node`, where given. */
  readonly node?: string;
  readonly hostname: string;
  /** `--cluster`, where given. */
  readonly cluster?: string;
  /** The broker is on this machine's loopback: the first cluster heard may be joined. */
  readonly trustFirst: boolean;
}

/** @returns the memory to go on with, or one sentence that says why there is none and what to do. */
export function decideIdentity(
  kept: AgentMemory | undefined,
  choice: IdentityChoice,
  random: Random,
): { readonly memory: AgentMemory } | { readonly error: string } {
  if (!kept?.cluster && choice.cluster === undefined && !choice.trustFirst) {
    return {
      error:
        'this node has joined no cluster, and the broker is not on this machine: start it with --cluster FINGERPRINT (the supervisor prints its own at start)',
    };
  }
  if (!kept) {
    const memory = { node: choice.node ?? idFromHostname(choice.hostname), inst: random.hex(8), epochCeiling: 0 };
    return { memory: choice.node === undefined ? { ...memory, defaulted: true } : memory };
  }
  if (choice.node !== undefined && choice.node !== kept.node) {
    return {
      error: `this data folder belongs to node "${kept.node}", not "${choice.node}": leave out --node, or name another folder with --data`,
    };
  }
  if (choice.cluster !== undefined && kept.cluster && kept.cluster.fingerprint !== choice.cluster) {
    return {
      error: `this node belongs to cluster ${kept.cluster.fingerprint}, not ${choice.cluster}: leave out --cluster, or name another folder with --data`,
    };
  }
  const { defaulted, ...rest } = kept;
  return { memory: defaulted && choice.node === undefined ? kept : rest };
}

/**
 * The id of a node whose default one is taken by another host: the same with four hex digits. Only once, and only while
 * nobody knows the node under the first one: neither a person (`--node`) nor a cluster.
 */
export function renamed(memory: AgentMemory, random: Random): AgentMemory | undefined {
  if (!memory.defaulted || memory.cluster) return undefined;
  const { defaulted: _, ...rest } = memory;
  return { ...rest, node: `${memory.node.slice(0, 15)}-${random.hex(2)}` };
}
