/**
 * How many connections one address, and one principal, may have. Pure: who counts, and when, is the broker's. What is
 * not known yet is bounded harder, so that who cannot log in does not take the places of those who can.
 */
import { Bucket } from './bucket.ts';

export interface ConnectLimitSettings {
  readonly perAddress: number;
  /** Not logged in yet: of one address, and of all. */
  readonly waitingPerAddress: number;
  readonly waiting: number;
  /** New connections of one address in a second, and at once. */
  readonly connectsPerSecond: number;
  readonly connectsAtOnce: number;
  readonly perPrincipal: number;
}

/** One connection's place. */
export interface Place {
  /** It has logged in. */
  known(): void;
  /** It is gone. */
  left(): void;
}

interface AddressCount {
  all: number;
  waiting: number;
  readonly bucket: Bucket;
}

/** Addresses remembered for the rate of their connections; more, and those without one are forgotten. */
const mostAddresses = 20_000;

export class ConnectLimits {
  private readonly settings: ConnectLimitSettings;
  private readonly addresses = new Map<string, AddressCount>();
  private readonly principals = new Map<string, number>();
  private waiting = 0;

  constructor(settings: ConnectLimitSettings) {
    this.settings = settings;
  }

  /** @returns undefined where it is one too many. */
  arrived(address: string, now: number): Place | undefined {
    const { perAddress, waitingPerAddress, waiting, connectsAtOnce, connectsPerSecond } = this.settings;
    let count = this.addresses.get(address);
    if (!count) {
      if (this.addresses.size >= mostAddresses) this.forgetIdle();
      count = { all: 0, waiting: 0, bucket: new Bucket(connectsPerSecond, connectsAtOnce, now) };
      this.addresses.set(address, count);
    }
    if (count.all >= perAddress || count.waiting >= waitingPerAddress || this.waiting >= waiting) return undefined;
    if (!count.bucket.take(1, now)) return undefined;
    const mine = count;
    mine.all++;
    mine.waiting++;
    this.waiting++;
    let [isWaiting, isHere] = [true, true];
    const known = () => {
      if (!isWaiting) return;
      isWaiting = false;
      mine.waiting--;
      this.waiting--;
    };
    return {
      known,
      left() {
        known();
        if (isHere) mine.all--;
        isHere = false;
      },
    };
  }

  /** @returns undefined where the principal has as many as it may; else call it at the end of the connection. */
  loggedIn(principal: string): (() => void) | undefined {
    const many = this.principals.get(principal) ?? 0;
    if (many >= this.settings.perPrincipal) return undefined;
    this.principals.set(principal, many + 1);
    let isHere = true;
    return () => {
      if (!isHere) return;
      isHere = false;
      const left = (this.principals.get(principal) ?? 1) - 1;
      if (left > 0) this.principals.set(principal, left);
      else this.principals.delete(principal);
    };
  }

  /** Their buckets start full again: no worse than an address that was never seen. */
  private forgetIdle(): void {
    for (const [address, { all }] of this.addresses) if (all === 0) this.addresses.delete(address);
  }
}
