/**
 * One agent per folder. The lock is a file that names its holder by pid, start time and boot id: after `kill -9` or a
 * power cut the holder is gone, and a pid that was given to another process since does not look like it.
 */
import { closeSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../shared/user-error.ts';

interface Holder {
  readonly pid: number;
  /** Start of the process in clock ticks since boot (proc(5), field 22 of stat); 0 where there is no /proc. */
  readonly start: number;
  /** Random per boot; empty where there is no /proc. */
  readonly boot: string;
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

function startOf(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The command's name stands in parentheses and may hold any character; the rest comes after the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie holds nothing any more.
  return fields[0] === 'Z' ? undefined : Number(fields[19]);
}

const bootId = (): string => (read('/proc/sys/kernel/random/boot_id') ?? '').trim();

function isAlive(holder: Holder): boolean {
  if (holder.pid === process.pid) return false;
  if (holder.boot !== bootId()) return false;
  if (holder.boot !== '') return startOf(holder.pid) === holder.start;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function parse(text: string | undefined): Holder | undefined {
  try {
    const value = JSON.parse(text ?? '') as Holder;
    return Number.isSafeInteger(value.pid) && value.pid > 0 && typeof value.boot === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The process that holds a folder; undefined where none does. */
export function lockHolder(folder: string): number | undefined {
  const holder = parse(read(join(folder, 'agent.lock')));
  return holder && isAlive(holder) ? holder.pid : undefined;
}

/**
 * Takes the lock. Throws a {@link UserError} that names the holder where one lives.
 * @returns how to give it back.
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, 'agent.lock');
  const mine = `${path}.${process.pid}`;
  const text = JSON.stringify({ pid: process.pid, start: startOf(process.pid) ?? 0, boot: bootId() } satisfies Holder);
  try {
    const file = openSync(mine, 'w', 0o600);
    writeSync(file, text);
    closeSync(file);
    for (let round = 0; round < 5; round++) {
      if (claim(mine, path)) {
        return () => {
          if (read(path) === text) rmSync(path, { force: true });
        };
      }
      const found = read(path);
      const holder = parse(found);
      if (holder && isAlive(holder)) {
        throw new UserError(
          `another agent (process ${holder.pid}) uses the data folder ${folder}: stop it, or name another folder with --data`,
        );
      }
      // Only the very lock that was looked at is taken away: another agent may have taken its place meanwhile.
      if (read(path) === found) rmSync(path, { force: true });
    }
    throw new UserError(`cannot lock the data folder ${folder}: other agents are starting on it too`);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new UserError(`cannot lock the data folder ${folder} (${reason}): name a writable one with --data`);
  } finally {
    rmSync(mine, { force: true });
  }
}

/** A hard link is made whole or not at all, so nobody ever reads half a lock. */
function claim(mine: string, path: string): boolean {
  try {
    linkSync(mine, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
