/** Starting a shim: everything that can be known to fail is checked first, so that the sentence names it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync, openSync, statSync } from 'node:fs';
import { homedir, platform } from 'node:os';
import { printable } from '../../../shared/names.ts';
import type { Service } from '../../../shared/schemas/service.ts';
import type { Unit } from '../host.ts';
import { environmentOf, inheritedEnvironment } from './environment.ts';
import { lowerPriority } from './priority.ts';
import type { Opened } from './secrets.ts';
import { simpleCommand } from './simple-command.ts';
import { reason, type StartedAt, type UnitFolder } from './unit-folder.ts';

/** Android keeps its shell elsewhere, and Termux its own one in PREFIX. */
export const systemShell = platform() === 'android' ? `${process.env.PREFIX ?? '/system'}/bin/sh` : '/bin/sh';

export const inherited = inheritedEnvironment();

/** Where a service runs that names no folder: `./solve` is then what its user thinks it is. */
export const home = existsSync(homedir()) ? homedir() : '/';

export interface SpawnedShim {
  readonly pid: number;
  /** Ends reports; the shim runs on. */
  letGo(): void;
}

export interface ShimHandlers {
  failed(error: string): void;
  ended(code: number | null, signal: NodeJS.Signals | null): void;
}

/** What becomes the service. No shell stays where a program can take its place: it would only hide how that ended. */
export const commandOf = ({ run }: Service, shell: string): readonly string[] =>
  typeof run === 'string' ? [shell, '-c', simpleCommand(run) ?? run] : (run ?? []);

/** What names a process for ever, finds its descendants and says whether it lives: all of it stands in /proc (proc(5)). */
const hasProc = existsSync('/proc/self/stat');

export const cannotStart = (error: unknown): string => `cannot be started: ${reason(error)}`;

/** Undefined where it could not be started; `failed` has been told then. */
export function spawnShim(
  folder: UnitFolder,
  unit: Unit,
  at: StartedAt,
  handlers: ShimHandlers,
  shell = systemShell,
  opened: Opened = {},
): SpawnedShim | undefined {
  const command = commandOf(unit.spec, shell);
  const args = [folder.shim, folder.runFile(unit.unit), folder.endFile(unit.unit), at.boot, ...command];
  let output: number | undefined;
  let child: ChildProcess;
  try {
    checkMachine(unit.spec);
    folder.create(unit, at);
    output = openSync(folder.output(unit.unit), 'a', 0o600);
    child = spawn(shell, args, {
      cwd: unit.spec.cwd ?? home,
      env: environmentOf(unit, inherited, opened),
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
  lowerPriority(child.pid);
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
export function checkMachine({ cwd }: Service): void {
  if (!hasProc) throw new Error('services need /proc, which this system does not have: they run on Linux and Android');
  if (cwd === undefined) return;
  let problem: string | undefined;
  try {
    if (!statSync(cwd).isDirectory()) problem = 'it is no folder';
    else accessSync(cwd, constants.X_OK);
  } catch (error) {
    problem = reason(error);
  }
  if (problem !== undefined) throw new Error(`its folder (cwd) ${printable(cwd, 100)}: ${problem}`);
}
