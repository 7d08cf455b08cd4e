/** Looks after processes that may take only so much memory, by what /proc says of them. */
import { readFileSync } from 'node:fs';
import type { End } from '../../../../shared/schemas/work.ts';

const lookMs = 100;
/** Memory that node itself takes, and what a heap needs beside its objects. */
export const baseMb = 128;

export const memoryEnd = (memMb: number): End => ({ why: 'memory', err: `it took more than ${memMb} MB of memory` });

/** Of Linux; elsewhere the size is not known, and the heap's own limit has to do. */
export function residentMb(pid: number): number | undefined {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]);
    return (pages * 4096) / 1_048_576;
  } catch {
    return undefined;
  }
}

export class MemoryWatch {
  readonly #watched = new Map<number, { readonly mostMb: number; readonly over: () => void }>();
  #timer: NodeJS.Timeout | undefined;

  /** `over` is called once. @returns ends the watch. */
  add(pid: number, mostMb: number, over: () => void): () => void {
    this.#watched.set(pid, { mostMb, over });
    this.#timer ??= setInterval(() => this.#look(), lookMs);
    return () => this.#drop(pid);
  }

  #drop(pid: number): void {
    this.#watched.delete(pid);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const [pid, { mostMb, over }] of [...this.#watched]) {
      const mb = residentMb(pid);
      if (mb === undefined || mb <= mostMb) continue;
      this.#drop(pid);
      over();
    }
  }
}
