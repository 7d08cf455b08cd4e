/**
 * Modules that were brought to this node: a folder for each, whole or not there, never changed. The one that was not used
 * for longest goes when there are too many, or they are too large; what a process uses stays.
 */
import { randomBytes } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

export interface ShelfLimits {
  readonly bytes: number;
  readonly count: number;
}
export const shelfLimits: ShelfLimits = { bytes: 2 * 1024 ** 3, count: 200 };

/** Makes a module in an empty folder; `done` once, later. */
export type Make = (folder: string, done: (error?: ShelfError) => void) => void;
export interface ShelfError {
  readonly why: 'setup' | 'denied';
  readonly err: string;
}

interface Kept {
  bytes: number;
  usedAt: number;
  /** Processes that run from it. */
  users: number;
}

/** In each folder: says that it is whole, and how large; its time is that of the last use. */
const mark = 'hearth-module.json';

export class Shelf {
  readonly #folder: string;
  readonly #limits: ShelfLimits;
  readonly #kept = new Map<string, Kept>();
  readonly #making = new Map<string, ((error: ShelfError | undefined, folder: string) => void)[]>();

  constructor(folder: string, limits: ShelfLimits = shelfLimits) {
    this.#folder = folder;
    this.#limits = limits;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(folder)) {
      try {
        const file = join(folder, name, mark);
        const { bytes } = JSON.parse(readFileSync(file, 'utf8')) as { bytes: number };
        this.#kept.set(name, { bytes, usedAt: lstatSync(file).mtimeMs, users: 0 });
      } catch {
        // Half made by an executor that was killed, or half removed.
        rmSync(join(folder, name), { recursive: true, force: true });
      }
    }
  }

  /** `done` later, with its folder. Asked for twice at the same time it is made once. @param key of `[a-z0-9-]`. */
  get(key: string, make: Make, done: (error: ShelfError | undefined, folder: string) => void): void {
    const folder = join(this.#folder, key);
    const kept = this.#kept.get(key);
    if (kept) {
      this.#use(key, kept);
      // It may not go before whoever asked has had his turn.
      kept.users++;
      setImmediate(() => {
        done(undefined, folder);
        this.release(key);
      });
      return;
    }
    const waiting = this.#making.get(key);
    if (waiting) {
      waiting.push(done);
      return;
    }
    this.#making.set(key, [done]);
    const beside = join(this.#folder, `new-${randomBytes(8).toString('hex')}`);
    const over = (error?: ShelfError): void => {
      let failed = error;
      try {
        if (!failed) this.#put(key, beside);
      } catch (thrown) {
        failed = { why: 'setup', err: `the module cannot be kept: ${(thrown as Error).message}` };
      }
      if (failed) void rm(beside, { recursive: true, force: true }).catch(() => {});
      const waiters = this.#making.get(key) ?? [];
      this.#making.delete(key);
      for (const each of waiters) each(failed, folder);
      this.#trim();
    };
    try {
      mkdirSync(beside, { mode: 0o700 });
    } catch (thrown) {
      setImmediate(over, { why: 'setup', err: `the module cannot be kept: ${(thrown as Error).message}` });
      return;
    }
    make(beside, over);
  }

  /** A process runs from it, until {@link release}. */
  hold(key: string): void {
    const kept = this.#kept.get(key);
    if (kept) kept.users++;
  }
  release(key: string): void {
    const kept = this.#kept.get(key);
    if (!kept) return;
    kept.users--;
    this.#use(key, kept);
    this.#trim();
  }

  #use(key: string, kept: Kept): void {
    kept.usedAt = Date.now();
    try {
      utimesSync(join(this.#folder, key, mark), new Date(), new Date());
    } catch {
      // It counts as older than it is.
    }
  }

  #put(key: string, beside: string): void {
    const bytes = sizeOf(beside);
    writeFileSync(join(beside, mark), JSON.stringify({ bytes }));
    renameSync(beside, join(this.#folder, key));
    this.#kept.set(key, { bytes, usedAt: Date.now(), users: 0 });
  }

  #trim(): void {
    const oldest = [...this.#kept].sort(([, a], [, b]) => a.usedAt - b.usedAt);
    let count = oldest.length;
    let bytes = oldest.reduce((sum, [, kept]) => sum + kept.bytes, 0);
    for (const [key, kept] of oldest) {
      if (count <= this.#limits.count && bytes <= this.#limits.bytes) return;
      if (kept.users > 0) continue;
      const away = join(this.#folder, `old-${randomBytes(8).toString('hex')}`);
      try {
        renameSync(join(this.#folder, key), away);
      } catch {
        continue;
      }
      this.#kept.delete(key);
      count--;
      bytes -= kept.bytes;
      void rm(away, { recursive: true, force: true }).catch(() => {});
    }
  }
}

function sizeOf(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const full = join(folder, entry.name);
    bytes += entry.isDirectory() ? 4096 + sizeOf(full) : lstatSync(full).blocks * 512;
  }
  return bytes;
}
