/**
 * When a node reports: `load` every period at a phase of its own, so that a fleet that was started together does not
 * speak together; and between loads, where the period is long, a `heartbeat`. Pure.
 */
import type { Random } from '../../shared/clock.ts';

/** Periods up to this need no heartbeat: three of them are still a fair time to miss a node. */
const longPeriodMs = 15_000;
const heartbeatMs = 10_000;

/** How often `load` or `heartbeat` comes: what the birth calls `period_ms`. */
export const beatMs = (periodMs: number): number =>
  periodMs <= longPeriodMs ? periodMs : Math.ceil(periodMs / Math.ceil(periodMs / heartbeatMs));

export class Beat {
  readonly #beat: number;
  /** Every this many beats is a load. */
  readonly #loadEvery: number;
  readonly #random: Random;
  #count = 0;
  #next = Number.POSITIVE_INFINITY;

  constructor(periodMs: number, random: Random) {
    this.#beat = beatMs(periodMs);
    this.#loadEvery = Math.max(1, Math.round(periodMs / this.#beat));
    this.#random = random;
  }

  /** The session is up. The first load comes within 5 s or a period, whichever is less. */
  start(now: number): void {
    this.#count = 0;
    this.#next = now + this.#random.next() * Math.min(this.#beat, 5000);
  }

  stop(): void {
    this.#next = Number.POSITIVE_INFINITY;
  }

  deadline(): number {
    return this.#next;
  }

  /** What is due. Beats that were missed (the process was stopped) are not made up for. */
  take(now: number): 'load' | 'heartbeat' | undefined {
    if (now < this.#next) return undefined;
    const missed = Math.floor((now - this.#next) / this.#beat);
    this.#next += (missed + 1) * this.#beat;
    return this.#count++ % this.#loadEvery === 0 ? 'load' : 'heartbeat';
  }
}
