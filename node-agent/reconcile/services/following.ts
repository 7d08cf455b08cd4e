/** Who is being followed, and until when: output of a followed service goes on across its restarts. */
import type { Clock, Timer } from '../../../shared/clock.ts';
import type { Host } from '../host.ts';
import type { OutputBefore } from '../reconciler.ts';

/** Lines that a new follower gets to see first. */
const firstLines = 20;

interface Followed {
  timer: Timer;
  unit: string | undefined;
}

export class Following {
  readonly #host: Pick<Host, 'tail' | 'follow'>;
  readonly #clock: Clock;
  readonly #output: (service: string, lines: readonly string[]) => void;
  readonly #followed = new Map<string, Followed>();

  constructor(
    host: Pick<Host, 'tail' | 'follow'>,
    clock: Clock,
    output: (service: string, lines: readonly string[]) => void,
  ) {
    this.#host = host;
    this.#clock = clock;
    this.#output = output;
  }

  /**
   * Follows a service for `ms`; again renews. A line that was written a moment ago may come as one of before and, where
   * somebody else follows the service already, once more as a new one.
   * @param unit the one that runs, or ran last.
   */
  follow(service: string, unit: string | undefined, ms: number, before: OutputBefore = {}): void {
    const { lines = this.#followed.has(service) ? 0 : firstLines, take } = before;
    const last = unit === undefined ? [] : this.#host.tail(unit, lines);
    if (ms > 0) this.#renew(service, unit, ms);
    if (take) take(last);
    else if (last.length > 0) this.#output(service, last);
  }

  #renew(service: string, unit: string | undefined, ms: number): void {
    const timer = this.#clock.after(ms, () => this.#end(service));
    const already = this.#followed.get(service);
    if (already) {
      already.timer.cancel();
      already.timer = timer;
      return;
    }
    this.#followed.set(service, { timer, unit });
    if (unit !== undefined) this.#host.follow(unit, true);
  }

  /** A new unit of the service was started. */
  started(service: string, unit: string): void {
    const followed = this.#followed.get(service);
    if (!followed) return;
    if (followed.unit !== undefined) this.#host.follow(followed.unit, false);
    followed.unit = unit;
    this.#host.follow(unit, true, true);
  }

  /** The unit's output is about to go. */
  discarded(service: string, unit: string): void {
    const followed = this.#followed.get(service);
    if (followed?.unit !== unit) return;
    this.#host.follow(unit, false);
    followed.unit = undefined;
  }

  close(): void {
    for (const { timer } of this.#followed.values()) timer.cancel();
    this.#followed.clear();
  }

  #end(service: string): void {
    const followed = this.#followed.get(service);
    this.#followed.delete(service);
    if (followed?.unit !== undefined) this.#host.follow(followed.unit, false);
  }
}
