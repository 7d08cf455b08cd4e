/** What a process has used, from Linux's /proc. Elsewhere these throw: the benches run on Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks per second of /proc/<pid>/stat; 100 on every Linux that Node runs on (USER_HZ). */
const ticksPerSecond = 100;

/**
 * CPU microseconds a process has used so far, user and system, all threads. From the nanosecond counters of
 * /proc/<pid>/task/<tid>/schedstat where the kernel keeps them, else from the 10 ms ticks of /proc/<pid>/stat
 * (proc(5)). Only differences between two readings of the same process mean anything. A thread that ended in
 * between is missing from the first kind; the brokers measured here keep theirs.
 */
export function cpuMicros(pid: number): number {
  if (!hasSchedstat(pid)) return cpuTicksMicros(pid);
  let nanos = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    nanos += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  }
  return nanos / 1000;
}

/** CPU microseconds by /proc/<pid>/stat: 10 ms steps, ended threads included, children not. */
export function cpuTicksMicros(pid: number): number {
  // The second field is the command in parentheses and may hold spaces: count from behind it.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / ticksPerSecond;
}

/** Resident memory of a process in kilobytes. */
export function rssKb(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0);
}

let schedstatWorks: boolean | undefined;

/** Some kernels have the file and leave it at zero: believed only when this very process's counter has moved. */
function hasSchedstat(pid: number): boolean {
  if (schedstatWorks === undefined) {
    try {
      readFileSync(`/proc/${pid}/schedstat`);
      schedstatWorks = Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[0]) > 0;
    } catch {
      schedstatWorks = false;
    }
  }
  return schedstatWorks;
}
