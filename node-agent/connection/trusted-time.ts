/**
 * What time it is, as far as certificates are concerned. A machine without a clock boots in 1970: its own clock is believed
 * only while it is not below what must be true, and never again once the supervisor has said the time. Pure but for the clock.
 */
import type { Clock } from '../../shared/clock.ts';

export class TrustedTime {
  readonly #clock: Clock;
  #floor: number;
  /** The supervisor's time, and this clock's monotonic one at that moment. */
  #said: { readonly at: number; readonly since: number } | undefined;

  /** @param floorMs it is later than this: the date of the build, or what the supervisor said before the last restart. */
  constructor(clock: Clock, floorMs: number) {
    this.#clock = clock;
    this.#floor = floorMs;
  }

  now(): number {
    const { wall, now } = this.#clock;
    const time = this.#said ? this.#said.at + now() - this.#said.since : wall();
    return Math.max(this.#floor, time);
  }

  /** The supervisor has said the time, or this machine's clock shows one that is possible. */
  get plausible(): boolean {
    return this.#said !== undefined || this.#clock.wall() >= this.#floor;
  }

  /** It is later than this. */
  notBelow(ms: number): void {
    if (Number.isFinite(ms)) this.#floor = Math.max(this.#floor, ms);
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
