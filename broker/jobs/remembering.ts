/**
 * Ids of jobs that are gone are remembered for 30 days, and at most ten million of them, the oldest days go first; then
 * anybody may take them again.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import { jobLimits } from '../../shared/schemas/job.ts';
import type { Store } from '../../shared/store.ts';
import { idOfKey, rememberedDay, rememberedKey } from './core/records.ts';

export const remembering = {
  days: 30,
  everyMs: 3_600_000,
  /** Ids forgotten in one write, or counted in one read. */
  page: 2000,
  /** Up to so many are in memory, and nobody asks the disk for another one. */
  inMemory: 100_000,
} as const;

const dayMs = 86_400_000;
/** Before the first day that there can be, and after the last. */
const firstDay = rememberedDay(0);
const end = 'jobday0';

export interface RememberingParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Ids, at most; what comes within an hour comes on top. Default: that of `jobLimits`. */
  readonly most?: number;
}

export class Remembering {
  readonly #parts: RememberingParts;
  readonly #most: number;
  /** Counted once, at the start; what is written while that goes on may count twice. */
  #count = 0;
  /** All of them, once they are read; undefined: too many. */
  #ids: Set<string> | undefined = new Set();
  #read = false;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(parts: RememberingParts) {
    this.#parts = parts;
    this.#most = parts.most ?? jobLimits.remembered;
  }

  start(): void {
    this.#countFrom(firstDay);
  }

  /** One more is being written. */
  added(job: string): void {
    this.#count++;
    this.#keep(job);
  }

  /** True: it certainly is none of them. Otherwise the store knows. */
  isNew(job: string): boolean {
    return this.#read && this.#ids?.has(job) === false;
  }

  #keep(job: string): void {
    this.#ids?.add(job);
    if ((this.#ids?.size ?? 0) > remembering.inMemory) this.#ids = undefined;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #countFrom(from: string): void {
    this.#parts.store.readRange(from, end, remembering.page, (error, entries) => {
      if (this.#stopped) return;
      this.#count += entries.length;
      for (const [key] of entries) this.#keep(idOfKey(key));
      const last = entries.at(-1)?.[0];
      if (!error && last !== undefined && entries.length === remembering.page) this.#countFrom(`${last}\0`);
      else {
        this.#read = error === undefined;
        this.#forget();
      }
    });
  }

  #forget(): void {
    const { store, clock } = this.#parts;
    const excess = this.#count - this.#most;
    const until = excess > 0 ? end : rememberedDay(clock.wall() - remembering.days * dayMs);
    const page = excess > 0 ? Math.min(excess, remembering.page) : remembering.page;
    store.readRange(firstDay, until, page, (error, entries) => {
      if (this.#stopped) return;
      if (error || entries.length === 0) {
        this.#later(error);
        return;
      }
      const ops = entries.flatMap(([key]) => [{ del: key }, { del: rememberedKey(idOfKey(key)) }]);
      store.write(ops, failure => {
        if (this.#stopped) return;
        if (failure) this.#later(failure);
        else {
          this.#count -= entries.length;
          for (const [key] of entries) this.#ids?.delete(idOfKey(key));
          this.#forget();
        }
      });
    });
  }

  #later(error: Error | undefined): void {
    const { clock, log } = this.#parts;
    if (error) log.warn({ error: error.message }, 'old ids of jobs are not forgotten yet');
    this.#timer = clock.after(remembering.everyMs, () => this.#forget());
  }
}
