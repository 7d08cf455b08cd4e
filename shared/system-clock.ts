/** The real {@link Clock} and {@link Random}: what every process uses, and no test of a core. */
import { randomBytes } from 'node:crypto';
import { platform, uptime } from 'node:os';
import type { Clock, Random } from './clock.ts';

/** setTimeout runs at once above this (2^31-1 ms, 24.8 days). */
const longestTimer = 2_147_483_647;
/** Wall and monotonic time may differ by this before the system is asked whether it slept. */
const suspicious = 250;
/** The uptime is read with 10 ms resolution, so a shorter drift is noise and not a suspend. */
const shortestSuspend = 400;

/**
 * Monotonic milliseconds with suspended time counted. Node's own monotonic clock (CLOCK_MONOTONIC) stands still while
 * Linux sleeps; the uptime (CLOCK_BOOTTIME) does not. So whenever the wall clock has run away from the monotonic one,
 * the uptime says how much of that was sleep. Elsewhere than on Linux suspended time is not counted.
 *
 * @param source where time comes from, for tests.
 */
export function systemClock(source: ClockSource = systemSource): Clock {
  let slept = 0;
  let wallAhead = source.wall() - source.monotonic();
  const drift = () => source.uptime() - source.monotonic();
  const started = source.sleeps ? drift() : 0;

  return {
    now() {
      const monotonic = source.monotonic();
      const ahead = source.wall() - monotonic;
      if (source.sleeps && Math.abs(ahead - wallAhead) > suspicious) {
        wallAhead = ahead;
        const total = drift() - started;
        // Never back: a clock that was set makes the wall jump, but leaves the drift as it was.
        if (total - slept > shortestSuspend) slept = total;
      }
      return monotonic + slept;
    },
    wall: source.wall,
    after(ms, fn) {
      let left = Math.max(0, ms);
      const arm = (): NodeJS.Timeout => {
        const step = Math.min(left, longestTimer);
        left -= step;
        return setTimeout(() => {
          if (left > 0) timer = arm();
          else fn();
        }, step);
      };
      let timer = arm();
      return { cancel: () => clearTimeout(timer) };
    },
  };
}

/** All in milliseconds. */
export interface ClockSource {
  /** Whether `uptime` counts suspended time. */
  readonly sleeps: boolean;
  monotonic(): number;
  wall(): number;
  uptime(): number;
}

const systemSource: ClockSource = {
  sleeps: platform() === 'linux' || platform() === 'android',
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  uptime: () => uptime() * 1000,
};

/** Chance from the kernel. One draw of bytes serves many numbers, since the jitter of telemetry asks often. */
export function systemRandom(): Random {
  let pool = randomBytes(0);
  let used = 0;
  return {
    next() {
      if (used + 6 > pool.length) {
        pool = randomBytes(240);
        used = 0;
      }
      used += 6;
      return pool.readUIntBE(used - 6, 6) / 2 ** 48;
    },
    hex: bytes => randomBytes(bytes).toString('hex'),
  };
}
