/**
 * How often a password may be tried. A few tries are free; then each failure doubles the wait, for the address they come
 * from and for the name they try. Where somebody logged in under a name before, only failures from that place count, so
 * that a stranger cannot lock anybody out. Pure: addresses, names and times in, waits out.
 *
 * A try counts as long as it is under way, so that a thousand at once are no more than one after the other.
 */
import { network } from '../../access/network.ts';

export interface AttemptLimits {
  /** Failures without a wait. */
  readonly free: number;
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
  /** Without a failure for this long, all are forgotten. */
  readonly forgetMs: number;
  /** Addresses, names and places remembered; the longest unused goes first. */
  readonly entries: number;
}

const perAddress: AttemptLimits = {
  free: 20,
  firstWaitMs: 1000,
  longestWaitMs: 5 * 60_000,
  forgetMs: 30 * 60_000,
  entries: 10_000,
};
const perName: AttemptLimits = { ...perAddress, free: 10, longestWaitMs: 60_000 };
const perPlace: AttemptLimits = perName;
/** Where tries under way take up what is free. */
const underWayMs = 1000;

interface Entry {
  pending: number;
  failures: number;
  untilMs: number;
  lastMs: number;
}

class Tally {
  readonly #limits: AttemptLimits;
  readonly #entries = new Map<string, Entry>();

  constructor(limits: AttemptLimits) {
    this.#limits = limits;
  }

  /** @returns how long to wait before the next try; 0: none. */
  wait(key: string, now: number): number {
    const entry = this.#entries.get(key);
    if (!entry) return 0;
    if (entry.pending === 0 && now - entry.lastMs >= this.#limits.forgetMs) {
      this.#entries.delete(key);
      return 0;
    }
    if (entry.untilMs > now) return entry.untilMs - now;
    const room = Math.max(1, this.#limits.free - entry.failures);
    return entry.pending < room ? 0 : underWayMs;
  }

  begin(key: string, now: number): void {
    const entry = this.#entries.get(key) ?? { pending: 0, failures: 0, untilMs: 0, lastMs: now };
    entry.pending++;
    entry.lastMs = now;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const oldest = this.#entries.size > this.#limits.entries ? this.#entries.keys().next().value : undefined;
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  end(key: string, failed: boolean, now: number): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    entry.pending = Math.max(0, entry.pending - 1);
    entry.lastMs = now;
    if (!failed) return;
    entry.failures++;
    const { free, firstWaitMs, longestWaitMs } = this.#limits;
    const beyond = entry.failures - free;
    if (beyond >= 0) entry.untilMs = now + Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(beyond, 30));
  }

  clear(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    entry.failures = 0;
    entry.untilMs = 0;
  }

  get size(): number {
    return this.#entries.size;
  }
}

/** A try under way; `end` is called once. */
export interface Attempt {
  /** `busy`: nobody looked, so it says nothing. */
  end(how: 'good' | 'wrong' | 'busy', now: number): void;
}

export class Attempts {
  readonly #addresses = new Tally(perAddress);
  readonly #names = new Tally(perName);
  readonly #places = new Tally(perPlace);
  /** Places from which a name has logged in. */
  readonly #known = new Set<string>();
  readonly #maxKnown: number;

  constructor(maxKnown = 10_000) {
    this.#maxKnown = maxKnown;
  }

  /** Whether this name has logged in from this address before. */
  isKnown(address: string, name: string): boolean {
    return this.#known.has(place(address, name));
  }

  wait(address: string, name: string, now: number): number {
    const here = place(address, name);
    if (this.#known.has(here)) return this.#places.wait(here, now);
    return Math.max(this.#addresses.wait(network(address), now), this.#names.wait(name, now));
  }

  /** Only where {@link wait} says 0. */
  begin(address: string, name: string, now: number): Attempt {
    const here = place(address, name);
    const counted: readonly (readonly [Tally, string])[] = this.#known.has(here)
      ? [[this.#places, here]]
      : [
          [this.#addresses, network(address)],
          [this.#names, name],
        ];
    for (const [tally, key] of counted) tally.begin(key, now);
    return {
      end: (how, at) => {
        for (const [tally, key] of counted) tally.end(key, how === 'wrong', at);
        if (how === 'good') this.good(address, name);
      },
    };
  }

  /** The right password came from there. What failed under other names from the same address stays counted. */
  good(address: string, name: string): void {
    const here = place(address, name);
    this.#places.clear(here);
    this.#known.delete(here);
    this.#known.add(here);
    const oldest = this.#known.size > this.#maxKnown ? this.#known.values().next().value : undefined;
    if (oldest !== undefined) this.#known.delete(oldest);
  }

  /** For tests of bounds. */
  get remembered(): number {
    return this.#addresses.size + this.#names.size + this.#places.size + this.#known.size;
  }
}

const place = (address: string, name: string): string => `${network(address)} ${name}`;
