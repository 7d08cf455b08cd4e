/** Ids of jobs that are gone are remembered for 30 days; then anybody may take them again. */
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { Store } from '../../shared/store.ts';
import { idOfKey, rememberedDay, rememberedKey } from './core/records.ts';

export const remembering = {
  days: 30,
  everyMs: 3_600_000,
  /** Ids forgotten in one write. */
  page: 2000,
} as const;

const dayMs = 86_400_000;
/** Before the first day that there can be. */
const firstDay = rememberedDay(0);

export class Remembering {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  #timer: Timer | undefined;
  #stopped = false;

  constructor({ store, clock, log }: { readonly store: Store; readonly clock: Clock; readonly log: Log }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  start(): void {
    this.#forget();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #forget(): void {
    const until = rememberedDay(this.#clock.wall() - remembering.days * dayMs);
    this.#store.readRange(firstDay, until, remembering.page, (error, entries) => {
      if (this.#stopped) return;
      if (error || entries.length === 0) {
        this.#later(error);
        return;
      }
      const ops = entries.flatMap(([key]) => [{ del: key }, { del: rememberedKey(idOfKey(key)) }]);
      this.#store.write(ops, failure => {
        if (this.#stopped) return;
        if (failure) this.#later(failure);
        else this.#forget();
      });
    });
  }

  #later(error: Error | undefined): void {
    if (error) this.#log.warn({ error: error.message }, 'old ids of jobs are not forgotten yet');
    this.#timer = this.#clock.after(remembering.everyMs, () => this.#forget());
  }
}
