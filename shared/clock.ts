/** Time and chance, injected everywhere: a test or the simulator brings its own. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds; suspended time counts where the system can tell. Only differences mean anything. */
  now(): number;
  /** Wall-clock epoch milliseconds, only for stamps that people read. */
  wall(): number;
  /** Runs `fn` once, `ms` from now or later. */
  after(ms: number, fn: () => void): Timer;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** `bytes` random bytes as lower-case hex. */
  hex(bytes: number): string;
}

/** Full jitter (AWS architecture blog, "Exponential backoff and jitter"): uniform in [0, min(cap, first × 2^attempt)). */
export const fullJitter = (attempt: number, firstMs: number, capMs: number, random: Random): number =>
  random.next() * Math.min(capMs, firstMs * 2 ** Math.min(attempt, 30));
