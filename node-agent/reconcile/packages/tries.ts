/** Changes that failed, and when they are tried again: 30 s after, twice as long each time, up to an hour. */
import type { Clock, Random, Timer } from '../../../shared/clock.ts';
import { changeKey, type Waiting } from './plan.ts';
import type { Change, Failure } from './provider.ts';

const firstMs = 30_000;
const longestMs = 3_600_000;

interface Try extends Waiting {
  readonly manager: string;
  /** All that was wanted of its manager: with another document it is tried at once. */
  readonly wants: string;
  readonly count: number;
  readonly due: number;
}

export class Tries {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #due: () => void;
  readonly #tries = new Map<string, Try>();
  #timer: Timer | undefined;

  /** @param due called when a change may be tried again. */
  constructor(clock: Clock, random: Random, due: () => void) {
    this.#clock = clock;
    this.#random = random;
    this.#due = due;
  }

  /** Failures of one transaction: those that failed as often as each other are tried again together. */
  fail(
    manager: string,
    wants: string,
    failures: readonly { readonly change: Change; readonly failure: Failure }[],
  ): void {
    // Up to half as long again, so that the nodes of a cluster do not all ask at once.
    const jitter = 1 + this.#random.next() / 2;
    for (const { change, failure } of failures) {
      const key = changeKey(change);
      const before = this.#tries.get(change.item);
      const count = before?.key === key ? before.count + 1 : 0;
      const delayMs = Math.min(longestMs, Math.round(firstMs * 2 ** Math.min(count, 20) * jitter));
      const due = this.#clock.now() + delayMs;
      const next_ms = this.#clock.wall() + delayMs;
      this.#tries.set(change.item, {
        manager,
        wants,
        key,
        count,
        due,
        next_ms,
        err: failure.sentence,
        later: failure.why !== undefined,
      });
    }
    this.#arm();
  }

  succeed(item: string): void {
    this.#tries.delete(item);
    this.#arm();
  }

  /** Forgets items that are no longer told of. */
  keep(items: ReadonlySet<string>): void {
    for (const item of this.#tries.keys()) if (!items.has(item)) this.#tries.delete(item);
    this.#arm();
  }

  /** Those that are not due yet, by item. @param wantsOf what is wanted of a manager now. */
  waiting(wantsOf: (manager: string) => string): ReadonlyMap<string, Waiting> {
    const wants = new Map<string, string>();
    const same = ({ manager, wants: then }: Try) => {
      const now = wants.get(manager) ?? wantsOf(manager);
      wants.set(manager, now);
      return now === then;
    };
    return new Map([...this.#tries].filter(([, one]) => one.due > this.#clock.now() && same(one)));
  }

  close(): void {
    this.#timer?.cancel();
    this.#tries.clear();
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const waits = [...this.#tries.values()].map(one => one.due).filter(due => due > this.#clock.now());
    if (waits.length === 0) return;
    this.#timer = this.#clock.after(Math.min(...waits) - this.#clock.now(), () => {
      this.#arm();
      this.#due();
    });
  }
}
