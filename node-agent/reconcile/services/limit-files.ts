/**
 * Which files of a cgroup say what a unit may use: version 2 (Linux, Documentation/admin-guide/cgroup-v2.rst) and
 * version 1 (cgroup-v1/memory.rst, pids.rst; scheduler/sched-bwc.rst). Pure.
 */
export type Controller = 'memory' | 'cpu' | 'pids';
/** A limit that a cgroup enforces. */
export type GroupLimit = 'memory_mb' | 'cpu_pct' | 'pids';

export const controllers: Readonly<Record<GroupLimit, Controller>> = {
  memory_mb: 'memory',
  cpu_pct: 'cpu',
  pids: 'pids',
};
export const groupLimits = Object.keys(controllers) as GroupLimit[];

export interface GroupWrite {
  readonly file: string;
  readonly text: string;
  /** Not every kernel has it, and the limit holds without. */
  readonly optional?: true;
}

/** Microseconds in which a share of the processor is used up. */
const periodUs = 100_000;

/** What to write for one limit, in this order. @param value undefined: none any more. */
export function writesFor(version: 1 | 2, limit: GroupLimit, value: number | undefined): readonly GroupWrite[] {
  switch (limit) {
    case 'memory_mb':
      return version === 2 ? memory2(value) : memory1(value);
    case 'cpu_pct': {
      const quota = value === undefined ? undefined : Math.max(1000, Math.round((value * periodUs) / 100));
      if (version === 2) return [{ file: 'cpu.max', text: `${quota ?? 'max'} ${periodUs}` }];
      return [
        { file: 'cpu.cfs_period_us', text: `${periodUs}` },
        { file: 'cpu.cfs_quota_us', text: `${quota ?? -1}` },
      ];
    }
    case 'pids':
      return [{ file: 'pids.max', text: `${value ?? 'max'}` }];
  }
}

const bytes = (mb: number | undefined, none: string): string => (mb === undefined ? none : `${mb * 1024 * 1024}`);

/** Swap is no further memory; and of a service that is out of memory nothing is left, as half of it is of no use. */
const memory2 = (mb: number | undefined): readonly GroupWrite[] => [
  { file: 'memory.oom.group', text: '1', optional: true },
  { file: 'memory.swap.max', text: mb === undefined ? 'max' : '0', optional: true },
  { file: 'memory.max', text: bytes(mb, 'max') },
];

/** Memory and swap together may not be less than memory: first out of the way, last as it stays. */
const memory1 = (mb: number | undefined): readonly GroupWrite[] => [
  { file: 'memory.memsw.limit_in_bytes', text: '-1', optional: true },
  { file: 'memory.limit_in_bytes', text: bytes(mb, '-1') },
  { file: 'memory.memsw.limit_in_bytes', text: bytes(mb, '-1'), optional: true },
];

/** Files that count who was killed for want of memory, of version 2 and 1, in a line `oom_kill N`. */
export const oomFiles = ['memory.events', 'memory.oom_control'] as const;

/** How many were killed, 0 where the kernel does not say (before Linux 4.13). */
export const oomKills = (text: string): number => Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
