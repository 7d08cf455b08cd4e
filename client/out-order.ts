/**
 * The batches of a job's `out` in their order, each once, whatever came twice, early or not at all. Pure; bounded: what
 * comes further ahead than it keeps is let go, and asked for again when its turn comes.
 */
import type { JobOut } from '../shared/schemas/job-out.ts';

export const orderLimits = {
  /** Batches kept, and asked for at once. */
  window: 64,
  /** Results in them. */
  results: 100_000,
} as const;

export class OutOrder {
  readonly #kept = new Map<number, JobOut>();
  #keptResults = 0;
  #next: number;
  /** Batches that are known to exist. */
  #known: number;
  #ended = false;

  /** @param from number of the first batch that is wanted. */
  constructor(from = 0) {
    this.#next = from;
    this.#known = from;
  }

  /** Number of the batch that is next. */
  get next(): number {
    return this.#next;
  }

  batch(batch: JobOut): void {
    const { seq, results } = batch;
    this.#known = Math.max(this.#known, seq + 1);
    if (seq < this.#next || seq >= this.#next + orderLimits.window || this.#kept.has(seq)) return;
    // The next one is always taken: without it nothing goes on.
    if (seq !== this.#next && this.#keptResults + results.length > orderLimits.results) return;
    this.#kept.set(seq, batch);
    this.#keptResults += results.length;
  }

  /** What `is` says: how many there are, and whether that is all. */
  is(outs: number, ended: boolean): void {
    this.#known = Math.max(this.#known, outs);
    this.#ended = ended;
  }

  /** The next batch, where it is here. */
  take(): JobOut | undefined {
    const batch = this.#kept.get(this.#next);
    if (!batch) return undefined;
    this.#kept.delete(this.#next);
    this.#keptResults -= batch.results.length;
    this.#next++;
    return batch;
  }

  /** All were taken, and no further one comes. A job that is tried again goes on. */
  get over(): boolean {
    return this.#ended && this.#next >= this.#known;
  }

  /** The run of batches, [from, to), that exist, are next, and are not here. */
  missing(): { readonly from: number; readonly to: number } | undefined {
    const from = this.#next;
    if (from >= this.#known || this.#kept.has(from)) return undefined;
    const most = Math.min(this.#known, from + orderLimits.window);
    let to = from + 1;
    while (to < most && !this.#kept.has(to)) to++;
    return { from, to };
  }
}
