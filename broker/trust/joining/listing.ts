/** Nodes and waiting machines as people and the dashboard see them. */
import type { JoinedNode, PendingMachine } from './desk.ts';
import type { Joining } from './joining.ts';
import { noteFor, suggestedId } from './judge.ts';
import type { Waiting } from './pending.ts';
import type { NodeRecord } from './records.ts';

export function pendingMachine(joining: Joining, waiting: Waiting): PendingMachine {
  const { facts } = waiting.request;
  const { admissions } = joining;
  const asking = joining.standing(waiting);
  const note = noteFor(admissions, asking, admissions.roster.revoked(facts));
  const { code, address, since, seen } = waiting;
  const { hostname, os, arch, macs, ver, cores, mem_mb } = facts;
  return {
    ...{ code, node: suggestedId(admissions, asking), address, hostname, os, arch, macs },
    ...(cores === undefined ? {} : { cores }),
    ...(mem_mb === undefined ? {} : { mem_mb }),
    ...{ ver, since_ms: since, seen_ms: seen },
    ...(note === undefined ? {} : { note }),
  };
}

export function joinedNode(record: NodeRecord): JoinedNode {
  const { node, state, joined_ms, by, facts, certs, clone_of, room, zone, roles } = record;
  const [newest] = certs;
  return {
    ...{ node, state, joined_ms, by, hostname: facts.hostname, macs: facts.macs, arch: facts.arch },
    ...{ serial: newest?.serial ?? '', expires_ms: newest?.expires_ms ?? 0 },
    ...(clone_of === undefined ? {} : { clone_of }),
    ...(room === undefined ? {} : { room }),
    ...(zone === undefined ? {} : { zone }),
    ...(roles === undefined || roles.length === 0 ? {} : { roles: roles.join() }),
  };
}
