/**
 * What time it is, as far as certificates are concerned. A machine without a clock boots in 1970: its own clock is believed
 * only while it is not below what must be true, and never again once the supervisor has said the time. Pure but for the clock.
 */
import type { Clock } from '../../shared/clock.ts';

export class TrustedTime {
  readonly #clock: Clock;
  readonly #builtMs: number;
  #rememberedMs = 0;
  /** The supervisor's time, and this clock's monotonic one at that moment. */
  #said: { readonly at: number; readonly since: number } | undefined;

  /** @param builtMs when this program was built: nobody's clock is believed that shows less. */
  constructor(clock: Clock, builtMs: number) {
    this.#clock = clock;
    this.#builtMs = builtMs;
  }

  now(): number {
    const { wall, now } = this.#clock;
    // A supervisor whose clock was wrong once and is put right is believed again: what was remembered of it does not count then.
    const time = this.#said ? this.#said.at + now() - this.#said.since : Math.max(this.#rememberedMs, wall());
    return Math.max(this.#builtMs, time);
  }

  /** What the supervisor said before the last restart: until it says it again, it is later than that. */
  remember(ms: number): void {
    this.#rememberedMs = ms;
  }

  /**
   * @param at what the supervisor said, signed, for this very moment.
   * @returns this machine's wall clock less the supervisor's.
   */
  said(at: number): number {
    this.#said = { at, since: this.#clock.now() };
    return this.#clock.wall() - at;
  }
}
