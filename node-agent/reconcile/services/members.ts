/** Which processes belong to a unit. Finding one too few leaves an orphan, one too many ends a stranger. */
import { listProcesses, type ProcessStat, unitOf } from './processes.ts';
import type { RunRecord } from './unit-folder.ts';

export interface UnitTrace {
  readonly unit: string;
  /** The shim's record of the start, and only if it is of this boot. */
  readonly run?: RunRecord;
  /** The shim, where this agent started it and the record may still be missing. */
  readonly shimPid?: number;
  /** What the unit's cgroup holds. */
  readonly grouped: ReadonlySet<number>;
  /** Found to belong to it before; what they were found by may be gone. */
  readonly known?: readonly ProcessStat[];
}

/** The shim of a recorded start: the main process's parent, a session leader that was there before it. */
export const isShim = (process: ProcessStat, run: RunRecord): boolean =>
  process.pid === run.main.parent && process.session === process.pid && process.start <= run.main.start;

/** The very process that the record names. */
export const isMain = (process: ProcessStat, run: RunRecord): boolean =>
  process.pid === run.main.pid && process.start === run.main.start;

/**
 * The unit's processes: its shim, main process and those known before by number and start time, all that its cgroup
 * holds, all that carry its id in their environment; then, until nothing is added, the children of members and the
 * sessions of members. A session or process number cannot be given to a stranger while a member still uses it; a session
 * whose leader lives and is no member was not made by the unit (somebody runs a command with a copied environment in his
 * own terminal).
 */
export function findMembers(trace: UnitTrace, all: readonly ProcessStat[] = listProcesses()): ProcessStat[] {
  const { unit, run } = trace;
  const members = new Map<number, ProcessStat>();
  const leaders = new Map<number, ProcessStat>();
  const starts = new Map(trace.known?.map(({ pid, start }) => [pid, start]));
  for (const each of all) {
    if (each.pid === each.session) leaders.set(each.pid, each);
    const recorded = (run && (isShim(each, run) || isMain(each, run))) || each.pid === trace.shimPid;
    if (recorded || starts.get(each.pid) === each.start || trace.grouped.has(each.pid) || unitOf(each.pid) === unit)
      members.set(each.pid, each);
  }
  members.delete(process.pid);
  for (let before = -1; before !== members.size; ) {
    before = members.size;
    const sessions = new Set<number>();
    for (const { session } of members.values()) {
      if (session > 0 && (!leaders.has(session) || members.has(session))) sessions.add(session);
    }
    for (const each of all) {
      if (each.pid === process.pid || members.has(each.pid)) continue;
      if (members.has(each.parent) || sessions.has(each.session)) members.set(each.pid, each);
    }
  }
  return [...members.values()];
}
