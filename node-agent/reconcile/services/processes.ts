/** Who is running, from /proc (proc(5)). Where there is no /proc, nobody is found. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessStat {
  readonly pid: number;
  /** The program's name, cut by the kernel at 15 bytes. */
  readonly name: string;
  /** `Z` is a process that has ended and not been asked about. */
  readonly state: string;
  readonly parent: number;
  readonly session: number;
  readonly kernel: boolean;
  /** Clock ticks from boot to its start: with the pid and the boot, it names a process for ever. */
  readonly start: number;
}

const kernelThread = 0x00200000;

/** Reads one line of /proc/PID/stat. The name may hold blanks and brackets, so fields count from the last `)`. */
export function parseStat(text: string): ProcessStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 1 || close < open) return undefined;
  const fields = text.slice(close + 2).split(' ');
  const stat = {
    pid: Number(text.slice(0, open)),
    name: text.slice(open + 1, close),
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    session: Number(fields[3]),
    kernel: (Number(fields[6]) & kernelThread) !== 0,
    start: Number(fields[19]),
  };
  const complete = Number.isSafeInteger(stat.pid) && stat.pid > 0 && Number.isSafeInteger(stat.start);
  return complete && Number.isSafeInteger(stat.parent) && Number.isSafeInteger(stat.session) ? stat : undefined;
}

/** A process that exists and has not ended. */
export function readProcess(pid: number): ProcessStat | undefined {
  try {
    const stat = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return stat && stat.state !== 'Z' && stat.state !== 'X' ? stat : undefined;
  } catch {
    return undefined;
  }
}

/** Of /proc, everywhere on Linux (proc(5), USER_HZ). */
const ticksPerS = 100;

/** Processor time that it and its children that have ended used, ms. */
export function processMs(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, each) => sum + Number(each), 0);
    return Number.isFinite(ticks) ? (ticks * 1000) / ticksPerS : undefined;
  } catch {
    return undefined;
  }
}

/** Whether this very process still runs, and not another one under its number. */
export const isAlive = (process: Pick<ProcessStat, 'pid' | 'start'>): boolean =>
  readProcess(process.pid)?.start === process.start;

/** Every process of the machine but the kernel's own and those that have ended. */
export function listProcesses(): ProcessStat[] {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return [];
  }
  return names.flatMap(name => {
    const process = /^\d+$/.test(name) ? readProcess(Number(name)) : undefined;
    return process && !process.kernel ? [process] : [];
  });
}

/** The unit a process was started for: the last `HEARTH_UNIT` of its environment; undefined where it may not be read. */
export function unitOf(pid: number): string | undefined {
  try {
    // One byte per character: an environment need not be UTF-8.
    const environment = `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`;
    const at = environment.lastIndexOf('\0HEARTH_UNIT=');
    return at < 0 ? undefined : environment.slice(at + 13).split('\0', 1)[0];
  } catch {
    return undefined;
  }
}

/** Direct children of a process, as far as the kernel tells (CONFIG_PROC_CHILDREN). */
export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/**
 * Whether it stands still by a signal or a tracer: state `T` or `t`, or `D` while it waits for a child that does so
 * before it has become another program (vfork(2): shells start programs so).
 */
export function isStopped({ pid, state }: Pick<ProcessStat, 'pid' | 'state'>): boolean {
  const stops = (one: string | undefined) => one === 'T' || one === 't';
  return stops(state) || (state === 'D' && childrenOf(pid).some(child => stops(readProcess(child)?.state)));
}

/** Differs after every start of the machine; `unknown` where the kernel does not say. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() || 'unknown';
  } catch {
    return 'unknown';
  }
}
