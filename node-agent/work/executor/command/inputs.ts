/** Inputs of commands: fetched once, copied beside the cache (a task that writes to one spoils no other), shared by tasks. */
import { chmodSync, constants, copyFileSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Recipe } from '../../../../shared/schemas/work.ts';
import type { Files } from '../runner.ts';

type Done = (error: string | undefined, paths?: Readonly<Record<string, string>>) => void;

interface Held {
  readonly path: string;
  readonly recipes: Set<number>;
  /** What the file was when it was copied; undefined: it is being fetched. */
  state: string | undefined;
  readonly waiting: Set<(error?: string) => void>;
}

const stateOf = (path: string): string | undefined => {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return undefined;
  }
};

export class Inputs {
  readonly #folder: string;
  readonly #files: Files;
  /** By hash. */
  readonly #held = new Map<string, Held>();

  constructor(folder: string, files: Files) {
    this.#folder = folder;
    this.#files = files;
  }

  /** `done` once, with the path of each; never from inside where something has to be fetched. @returns cancels. */
  get({ r, inputs = {} }: Recipe, done: Done): () => void {
    const paths: Record<string, string> = {};
    const waits: { held: Held; heard: (error?: string) => void }[] = [];
    let left = 0;
    let over = false;
    const cancel = () => {
      over = true;
      for (const { held, heard } of waits) held.waiting.delete(heard);
    };
    for (const [name, said] of Object.entries(inputs)) {
      const source = sourceOf(said);
      if (!source) {
        over = true;
        done(`the input "${name}" is no artifact and no address with its hash`);
        return cancel;
      }
      const held = this.#hold(source, r);
      paths[name] = held.path;
      if (held.state !== undefined) continue;
      left++;
      const heard = (error?: string) => {
        if (over) return;
        left--;
        if (error !== undefined) cancel();
        if (error !== undefined) done(`the input "${name}" cannot be had: ${error}`);
        else if (left === 0) done(undefined, paths);
      };
      waits.push({ held, heard });
      held.waiting.add(heard);
    }
    if (left === 0) done(undefined, paths);
    return cancel;
  }

  /** What no other recipe needs is removed. */
  forget(r: number): void {
    for (const [sha256, held] of this.#held) {
      if (!held.recipes.delete(r) || held.recipes.size > 0 || held.waiting.size > 0) continue;
      this.#held.delete(sha256);
      rmSync(held.path, { force: true });
    }
  }

  #hold(source: { url: string; sha256: string }, r: number): Held {
    const { sha256 } = source;
    const known = this.#held.get(sha256);
    known?.recipes.add(r);
    if (known && (known.state === undefined || known.state === stateOf(known.path))) return known;
    const held: Held = {
      path: join(this.#folder, sha256),
      recipes: known?.recipes ?? new Set([r]),
      state: undefined,
      waiting: new Set(),
    };
    this.#held.set(sha256, held);
    this.#files.fetch(source, (error, copy) => {
      let sentence = error;
      try {
        if (copy) this.#copy(copy.file, held);
      } catch (problem) {
        sentence = `it cannot be copied: ${(problem as Error).message}`;
      }
      copy?.release();
      if (sentence !== undefined) this.#held.delete(sha256);
      const waiting = [...held.waiting];
      held.waiting.clear();
      for (const heard of waiting) heard(sentence);
    });
    return held;
  }

  #copy(from: string, held: Held): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const beside = `${held.path}.part`;
    rmSync(beside, { force: true });
    copyFileSync(from, beside, constants.COPYFILE_FICLONE);
    chmodSync(beside, 0o400);
    renameSync(beside, held.path);
    held.state = stateOf(held.path);
  }
}

function sourceOf(said: unknown): { url: string; sha256: string } | undefined {
  if (typeof said === 'string') {
    const [, sha256] = /^artifact:([0-9a-f]{64})$/.exec(said) ?? [];
    return sha256 === undefined ? undefined : { url: said, sha256 };
  }
  const { url, sha256 } = (said ?? {}) as Record<string, unknown>;
  const good = typeof url === 'string' && typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256);
  return good ? { url, sha256 } : undefined;
}
