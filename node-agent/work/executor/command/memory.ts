/** Memory limits of commands: by the kernel's groups where they can be used, else by looking at what a task has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cgroups } from '../../../reconcile/services/cgroup.ts';
import { systemShell } from '../../../reconcile/services/launch.ts';
import { findMembers } from '../../../reconcile/services/members.ts';
import { listProcesses } from '../../../reconcile/services/processes.ts';

export interface MemoryLimit {
  /** The command that begins inside of the limit. */
  wrap(words: readonly string[]): readonly string[];
  /** A look at what it has, where nothing else enforces the limit. */
  exceeded(pid: number, now: number): boolean;
  /** Whether the kernel killed one of its processes for it. */
  killed(): boolean;
  end(): void;
}

export type Memory = {
  /** @param alone its groups are not to be touched: who takes too much is found by looking. */
  limit(mark: string, mb: number, alone: boolean): MemoryLimit;
};

const lookEveryMs = 500;
/** Joins its groups, then becomes the command. What cannot be limited must not run as if it were. */
const join0 = 'while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift; exec "$@"';

export const realMemory = (cgroups: Cgroups): Memory => ({
  limit(mark, mb, alone) {
    const { groups, note } = alone ? { groups: [] } : cgroups.limits.make(mark, { memory_mb: mb });
    const end = () => {
      for (const group of groups) cgroups.remove(group);
    };
    if (note === undefined && groups.length > 0) {
      const procs = groups.map(group => join(group, 'cgroup.procs'));
      return {
        wrap: words => [systemShell, '-c', join0, systemShell, ...procs, '--', ...words],
        exceeded: () => false,
        killed: () => cgroups.limits.killed(groups) > 0,
        end,
      };
    }
    let looked = Number.NEGATIVE_INFINITY;
    let was = false;
    return {
      wrap: words => words,
      exceeded(pid, now) {
        if (now - looked < lookEveryMs) return false;
        looked = now;
        was = memoryOf(mark, pid) > mb * 1024 * 1024;
        return was;
      },
      killed: () => was,
      end,
    };
  },
});

/** Bytes that the task's processes have for themselves, swapped ones too. */
function memoryOf(mark: string, pid: number): number {
  const all = listProcesses();
  const leader = all.filter(each => each.pid === pid);
  const members = findMembers({ unit: mark, grouped: new Set(), known: leader }, all);
  return members.reduce((sum, member) => sum + memoryOfOne(member.pid), 0);
}

function memoryOfOne(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const kb = [...status.matchAll(/^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB$/gm)];
    return kb.reduce((sum, [, amount]) => sum + Number(amount) * 1024, 0);
  } catch {
    return 0;
  }
}
