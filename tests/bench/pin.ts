/** Pinning to cores with taskset(1), so that the measured process and its load generator do not share one. */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { findProgram } from '../fixture/programs.ts';

/** True where there are two cores and taskset to keep them apart; otherwise nothing is pinned and the report says so. */
export const canPin = availableParallelism() > 1 && findProgram('taskset') !== undefined;

/** The command line that starts `command` on one core. */
export function onCore(core: number, command: string, args: readonly string[]): [string, string[]] {
  return canPin ? ['taskset', ['-c', String(core), command, ...args]] : [command, [...args]];
}

/** Moves this process, with all its threads, to one core. Children inherit it unless started with `onCore`. */
export function pinSelf(core: number): void {
  if (canPin) spawnSync('taskset', ['-a', '-c', '-p', String(core), String(process.pid)], { stdio: 'ignore' });
}

export const pinning = (measured: string): string =>
  canPin ? `${measured} on core 0, generator on core 1` : 'nothing pinned (one core, or no taskset)';
