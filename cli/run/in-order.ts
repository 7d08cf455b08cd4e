/**
 * Results in the order of their tasks, whatever order they were committed in. What comes early is kept: a mark where
 * there is nothing to print or to bring, else in memory, and beyond a bound in a file that is gone with this process.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommittedResult } from '../../shared/schemas/job-out.ts';

export interface OrderBounds {
  /** Text of results in memory, characters. */
  readonly memory: number;
}

type Kept = CommittedResult | { readonly at: number; readonly length: number };

/** Marks by task: nothing yet, silent success that waits, kept, given. */
const [silent, kept, given] = [1, 2, 3];

export class InOrder {
  #marks = new Uint8Array(1024);
  readonly #kept = new Map<number, Kept>();
  #chars = 0;
  #next = 0;
  #file: number | undefined;
  #fileBytes = 0;
  readonly #bounds: OrderBounds;

  constructor(bounds: OrderBounds = { memory: 32 * 1024 * 1024 }) {
    this.#bounds = bounds;
  }

  /** @returns those whose turn it is now. A task that was given before (it was tried again) is given at once. */
  *take(results: readonly CommittedResult[]): Generator<CommittedResult> {
    for (const one of results) {
      const { index } = one;
      if (this.#mark(index) === given) yield one;
      else if (index === this.#next) {
        this.#set(index, given);
        this.#drop(index);
        this.#next++;
        yield one;
      } else this.#keep(one);
      yield* this.#due();
    }
  }

  /** The rest in its order: of a job that ended before all tasks had their turn. */
  *rest(): Generator<CommittedResult> {
    const waiting = [...this.#kept.keys()].sort((a, b) => a - b);
    for (const index of waiting) {
      const one = this.#drop(index);
      this.#set(index, given);
      if (one) yield one;
    }
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  *#due(): Generator<CommittedResult> {
    for (;;) {
      const mark = this.#mark(this.#next);
      if (mark !== silent && mark !== kept) return;
      const one = this.#drop(this.#next);
      this.#set(this.#next++, given);
      if (one) yield one;
    }
  }

  #keep(one: CommittedResult): void {
    const { index, state, end } = one;
    this.#drop(index);
    if (state === 'succeeded' && isSilent(end)) {
      this.#set(index, silent);
      return;
    }
    this.#set(index, kept);
    const length = sizeOf(one);
    if (this.#chars + length <= this.#bounds.memory) {
      this.#chars += length;
      this.#kept.set(index, one);
    } else this.#kept.set(index, this.#write(JSON.stringify(one)));
  }

  #drop(index: number): CommittedResult | undefined {
    const one = this.#kept.get(index);
    if (!one) return undefined;
    this.#kept.delete(index);
    if ('at' in one) return this.#read(one);
    this.#chars -= sizeOf(one);
    return one;
  }

  #write(text: string): Kept {
    if (this.#file === undefined) {
      const folder = mkdtempSync(join(tmpdir(), 'hearth-run-'));
      this.#file = openSync(join(folder, 'early'), 'wx+', 0o600);
      rmSync(folder, { recursive: true });
    }
    const bytes = Buffer.from(text);
    const at = this.#fileBytes;
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#file, bytes, done, bytes.length - done, at + done);
    }
    this.#fileBytes += bytes.length;
    return { at, length: bytes.length };
  }

  #read({ at, length }: { readonly at: number; readonly length: number }): CommittedResult {
    const bytes = Buffer.alloc(length);
    if (this.#file !== undefined) readSync(this.#file, bytes, 0, length, at);
    return JSON.parse(bytes.toString()) as CommittedResult;
  }

  #mark = (index: number): number => this.#marks[index] ?? 0;

  #set(index: number, mark: number): void {
    if (index >= this.#marks.length) {
      const larger = new Uint8Array(Math.max(index + 1, this.#marks.length * 2));
      larger.set(this.#marks);
      this.#marks = larger;
    }
    this.#marks[index] = mark;
  }
}

const isSilent = (end: CommittedResult['end']): boolean =>
  end === undefined || (!end.out && !end.errout && !end.out_sha256 && end.value === undefined && !end.files);

function sizeOf({ end }: CommittedResult): number {
  if (end === undefined) return 64;
  const value = end.value === undefined ? 0 : JSON.stringify(end.value).length;
  const files = end.files === undefined ? 0 : JSON.stringify(end.files).length;
  return 256 + (end.out?.length ?? 0) + (end.errout?.length ?? 0) + value + files;
}
