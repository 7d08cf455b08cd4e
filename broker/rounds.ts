/** What the supervisor does again and again, until it is stopped. */
import type { Clock, Timer } from '../shared/clock.ts';

export class Rounds {
  readonly #clock: Clock;
  readonly #timers = new Map<string, Timer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has(name: string): boolean {
    return this.#timers.has(name);
  }

  every(name: string, ms: number, run: () => void): void {
    const again = () => {
      // Armed first: what `run` does may end it.
      this.#timers.set(name, this.#clock.after(ms, again));
      run();
    };
    this.#timers.set(name, this.#clock.after(ms, again));
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}
