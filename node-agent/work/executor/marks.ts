/**
 * Who was started for a task: everybody with the task's mark in his environment, his descendants and sessions. Tasks end
 * with all of these, and what nobody watches any more is swept away: left behind by a task that ended, or by an executor
 * that was killed. Without /proc (macOS) only process groups are ended, and nothing is swept.
 */
import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import type { Log } from '../../../shared/log.ts';
import { findMembers } from '../../reconcile/services/members.ts';
import { listProcesses, type ProcessStat, readProcess, unitOf } from '../../reconcile/services/processes.ts';
import { Stopping } from '../../reconcile/services/stopping.ts';
import type { Marks } from './runner.ts';

const hasProc = existsSync('/proc/self/stat');
const nobody: ReadonlySet<number> = new Set();
/** After a task's end, to look whether it left somebody behind; and between two such looks. */
const sweepMs = 500;
const restMs = 2_000;
const groupLookMs = 20;
/** Looks that have to find somebody each time: who forks faster than he is killed is left to the next sweep. */
const mostRounds = 50;

/** What all marks of executors in that folder begin with. */
export const prefixOf = (folder: string): string =>
  `job-${createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 16)}-`;

export class ProcessMarks implements Marks {
  readonly #prefix: string;
  readonly #own: string;
  readonly #log: Log;
  readonly #live = new Set<string>();
  #count = 0;
  #timer: NodeJS.Timeout | undefined;
  #swept = Number.NEGATIVE_INFINITY;

  constructor(prefix: string, log: Log) {
    this.#prefix = prefix;
    this.#own = `${prefix}${process.pid.toString(36)}-`;
    this.#log = log;
  }

  take(): string {
    const mark = `${this.#own}${(this.#count++).toString(36)}`;
    this.#live.add(mark);
    return mark;
  }

  release(mark: string): void {
    if (!this.#live.delete(mark) || this.#timer || !hasProc) return;
    const wait = Math.max(sweepMs, this.#swept + restMs - performance.now());
    this.#timer = setTimeout(() => this.#sweep(), wait);
  }

  end(mark: string, group: number, graceMs: number, done: () => void): void {
    const over = (error?: string) => {
      if (error !== undefined) this.#log.warn({}, `a task's ${error}`);
      this.release(mark);
      done();
    };
    if (!hasProc) {
      endGroup(group, graceMs, over);
      return;
    }
    const leader = group > 0 ? readProcess(group) : undefined;
    const members = (before: readonly ProcessStat[]) => membersOf(mark, group, leader, before);
    new Stopping({ members, certain: false, isShim: () => false, killAll() {} }, 'TERM', graceMs, over);
  }

  freeze(mark: string, group: number): void {
    if (!hasProc) {
      signalGroup(group, 'SIGSTOP');
      return;
    }
    const leader = readProcess(group);
    const stopped = new Set<string>();
    // Who is told to stop forks no more (the kernel's copy_process looks for signals first): a look that finds nobody new is the last.
    for (let round = 0, before = -1; round < mostRounds && before !== stopped.size; round++) {
      before = stopped.size;
      for (const each of membersOf(mark, group, leader)) {
        const key = `${each.pid} ${each.start}`;
        if (!stopped.has(key) && signalOne(each, 'SIGSTOP')) stopped.add(key);
      }
    }
  }

  thaw(mark: string, group: number): void {
    if (!hasProc) signalGroup(group, 'SIGCONT');
    else for (const each of membersOf(mark, group, readProcess(group))) signalOne(each, 'SIGCONT');
  }

  members(mark: string, group: number): readonly number[] {
    return hasProc ? membersOf(mark, group, readProcess(group)).map(({ pid }) => pid) : [];
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #sweep(): void {
    this.#timer = undefined;
    this.#swept = performance.now();
    const killed = killMarked(mark => mark.startsWith(this.#prefix) && !this.#live.has(mark));
    if (killed > 0) this.#log.info({ killed }, `${killed} processes that ended tasks had left behind were killed`);
  }
}

/** @param leader of the session, as it was when that was begun. */
function membersOf(
  mark: string,
  group: number,
  leader: ProcessStat | undefined,
  before: readonly ProcessStat[] = [],
): readonly ProcessStat[] {
  const all = listProcesses();
  const now = all.find(({ pid }) => pid === group);
  // Its number is given to nobody else while somebody of its session is there.
  const session = group > 0 && (!now || now.start === leader?.start) ? all.filter(each => each.session === group) : [];
  return findMembers({ unit: mark, grouped: nobody, known: [...before, ...session] }, all);
}

/** @returns false: gone meanwhile, or not to be reached. */
function signalOne({ pid, start }: ProcessStat, signal: NodeJS.Signals): boolean {
  if (readProcess(pid)?.start !== start) return false;
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** Kills all that executors of that folder have started and that still runs. @returns how many. */
export const killAllOf = (folder: string): number => {
  const prefix = prefixOf(folder);
  let killed = 0;
  for (let round = 0, more = 1; round < mostRounds && more > 0; round++) {
    more = killMarked(mark => mark.startsWith(prefix));
    killed += more;
  }
  return killed;
};

function killMarked(strays: (mark: string) => boolean): number {
  const all = listProcesses();
  const marks = new Set<string>();
  for (const { pid } of all) {
    const mark = unitOf(pid);
    if (mark !== undefined && strays(mark)) marks.add(mark);
  }
  let killed = 0;
  for (const unit of marks) {
    for (const { pid, start } of findMembers({ unit, grouped: nobody }, all)) {
      if (readProcess(pid)?.start !== start) continue;
      try {
        process.kill(pid, 'SIGKILL');
        killed++;
      } catch {
        // Gone meanwhile, or become another user, which only root's tasks can.
      }
    }
  }
  return killed;
}

/** False: nobody of it is there. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  if (group <= 1) return false;
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    // macOS says EPERM of a group in which all have ended and not been asked about.
    return (error as NodeJS.ErrnoException).code === 'EPERM' && hasProc;
  }
}

function endGroup(group: number, graceMs: number, done: () => void): void {
  const killAt = performance.now() + graceMs;
  const look = (signal: NodeJS.Signals | 0) => {
    if (!signalGroup(group, performance.now() >= killAt ? 'SIGKILL' : signal)) done();
    else setTimeout(look, groupLookMs, 0);
  };
  setTimeout(look, 0, 'SIGTERM');
}
