/** Starts an executor's process, and finds the one that is there. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { makeFolder } from '../../../shared/make-folder.ts';
import { readProcess } from '../../reconcile/services/processes.ts';
import { program } from './program.ts';
import { shortPath } from './socket-path.ts';
import { cleanEnvironment } from './surroundings.ts';
import { socketName } from './wire.ts';

export interface Program {
  /** Default: this process's own. */
  readonly nodePath?: string;
  /** Node's arguments for the executor's program. Default: the one that came with this agent. */
  readonly program?: readonly string[];
}

export interface Bounds {
  /** After so long with nothing to do it ends. Default: 60 s. */
  readonly idleMs?: number | undefined;
  /** Bytes that one command may write to stdout and stderr. Default: 1 GB. */
  readonly maxOutput?: number | undefined;
  /** Between TERM and KILL. Default: 5 s. */
  readonly graceMs?: number | undefined;
}

const startWithinMs = 30_000;

/** Left behind by one that was killed, or in use. */
export const wasThere = (data: string): boolean => existsSync(join(data, 'work', socketName));

/** `done` once: with the open socket, or undefined where nobody listens. */
export function find(data: string, done: (socket: Socket | undefined) => void): void {
  if (!wasThere(data)) {
    queueMicrotask(() => done(undefined));
    return;
  }
  let place: ReturnType<typeof shortPath>;
  try {
    place = shortPath(join(data, 'work'), socketName);
  } catch {
    queueMicrotask(() => done(undefined));
    return;
  }
  const socket = connect(place.path);
  const failed = () => {
    place.letGo();
    done(undefined);
  };
  socket.once('error', failed);
  socket.once('connect', () => {
    place.letGo();
    socket.off('error', failed);
    done(socket);
  });
}

/** `done` once: when it can be connected to, or with one sentence why not. It outlives this process. */
export function startExecutor(data: string, bounds: Bounds, how: Program, done: (error?: string) => void): void {
  let output: number | undefined;
  let over = false;
  const finish = (error?: string) => {
    if (over) return;
    over = true;
    clearTimeout(limit);
    child?.removeAllListeners();
    child?.on('error', () => {});
    child?.stdio[3]?.destroy();
    child?.unref();
    done(error);
  };
  const limit = setTimeout(() => finish(`it was not ready in ${startWithinMs / 1000} s`), startWithinMs);
  let child: ReturnType<typeof spawn> | undefined;
  try {
    makeFolder(join(data, 'work'));
    output = openSync(join(data, 'work', 'executor.log'), 'w', 0o600);
    const args = [...(how.program ?? program()), data, JSON.stringify(bounds)];
    child = spawn(how.nodePath ?? process.execPath, args, {
      // Found by the agent's path, whatever folder that runs in.
      cwd: data,
      env: cleanEnvironment(),
      detached: true,
      stdio: ['ignore', output, output, 'pipe'],
    });
    child.once('error', error => finish(`it cannot be started: ${error.message}`));
    child.once('exit', (code, signal) => finish(`it ended at once (${signal ?? code}): see executor.log`));
    child.stdio[3]?.once('data', () => finish());
    child.stdio[3]?.on('error', () => {});
  } catch (error) {
    queueMicrotask(() => finish(`it cannot be started: ${(error as Error).message}`));
  } finally {
    if (output !== undefined) closeSync(output);
  }
}

/** A process and when it started: its number alone may become another's. */
export interface NamedProcess {
  readonly pid: number;
  readonly start: number | undefined;
}

export const nameProcess = (pid: number): NamedProcess => ({ pid, start: readProcess(pid)?.start });

/** That very process, if it still runs. */
export function killNamed(known: NamedProcess | undefined): void {
  if (known?.start === undefined || readProcess(known.pid)?.start !== known.start) return;
  try {
    process.kill(known.pid, 'SIGKILL');
  } catch {
    // It has ended just now.
  }
}
