/** Starting a shim: everything that can be known to fail is checked first, so that the sentence names it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync, fchownSync, openSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printable } from '../../../shared/names.ts';
import type { Service } from '../../../shared/schemas/service.ts';
import type { Unit } from '../host.ts';
import type { Launch } from './launch.ts';
import { lowerPriority } from './priority.ts';
import { reason, type StartedAt, type UnitFolder } from './unit-folder.ts';

export interface SpawnedShim {
  readonly pid: number;
  /** Ends reports; the shim runs on. */
  letGo(): void;
}

export interface ShimHandlers {
  failed(error: string): void;
  ended(code: number | null, signal: NodeJS.Signals | null): void;
}

/** What names a process for ever, finds its descendants and says whether it lives: all of it stands in /proc (proc(5)). */
const hasProc = existsSync('/proc/self/stat');

export const cannotStart = (error: unknown): string => `cannot be started: ${reason(error)}`;

/** Undefined where it could not be started; `failed` has been told then. */
export function spawnShim(
  folder: UnitFolder,
  unit: Unit,
  at: StartedAt,
  handlers: ShimHandlers,
  shell: string,
  makeLaunch: () => Launch,
): SpawnedShim | undefined {
  let output: number | undefined;
  let child: ChildProcess;
  try {
    checkMachine(unit.spec);
    const { command, cwd, environment, owner, file } = makeLaunch();
    folder.create(unit, at);
    if (file !== undefined) writeFileSync(folder.environment(unit.unit), file, { mode: 0o600 });
    output = openSync(folder.output(unit.unit), 'a', 0o600);
    if (owner) fchownSync(output, owner.uid, owner.gid);
    const groups = (at.groups ?? []).map(group => join(group, 'cgroup.procs'));
    const record = [folder.runFile(unit.unit), folder.endFile(unit.unit), at.boot];
    child = spawn(shell, [folder.shim, ...record, ...groups, '--', ...command], {
      cwd,
      env: environment,
      // A session of its own: it has no terminal and no part in signals to the agent's.
      detached: true,
      stdio: ['ignore', output, output],
    });
  } catch (error) {
    handlers.failed(cannotStart(error));
    return undefined;
  } finally {
    if (output !== undefined) closeSync(output);
  }
  child.once('error', error => handlers.failed(cannotStart(error)));
  if (child.pid === undefined) return undefined;
  lowerPriority(child.pid, unit.spec.limits?.nice);
  child.once('exit', handlers.ended);
  return {
    pid: child.pid,
    letGo() {
      child.removeAllListeners();
      child.unref();
    },
  };
}

/** Throws where this machine cannot run a service, or not where it wants to, with the reason. */
export function checkMachine({ cwd, image }: Service): void {
  if (!hasProc) throw new Error('services need /proc, which this system does not have: they run on Linux and Android');
  // A container's is inside of it.
  if (cwd === undefined || image !== undefined) return;
  let problem: string | undefined;
  try {
    if (!statSync(cwd).isDirectory()) problem = 'it is no folder';
    else accessSync(cwd, constants.X_OK);
  } catch (error) {
    problem = reason(error);
  }
  if (problem !== undefined) throw new Error(`its folder (cwd) ${printable(cwd, 100)}: ${problem}`);
}
