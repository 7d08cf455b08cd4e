/**
 * How much one address may have of the HTTP port, so that one machine can neither take every place nor every moment:
 * connections open at once, and requests. An IPv6 network counts as a whole, too, at four times the limits. Pure.
 */
import { type Rate, TokenBucket } from '../orders/token-bucket.ts';
import { addressNetwork, isLoopbackAddress } from './address.ts';

export interface AddressLimits {
  /** Open sockets of any kind, of all addresses. */
  readonly connections: number;
  /** Of those, kept for this machine itself. */
  readonly reserved: number;
  readonly perAddress: number;
  readonly requests: Rate;
}

export const addressLimits: AddressLimits = {
  connections: 2048,
  reserved: 256,
  perAddress: 256,
  requests: { perSecond: 200, burst: 1200 },
};

const wholeNetwork = 4;
/** Addresses without a connection that are remembered for their rate. */
const mostRemembered = 4096;

interface Group {
  connections: number;
  readonly bucket: TokenBucket;
}

export class AddressBook {
  readonly #limits: AddressLimits;
  /** The one used last at the end. */
  readonly #groups = new Map<string, Group>();
  #connections = 0;

  constructor(limits: AddressLimits) {
    this.#limits = limits;
  }

  get connections(): number {
    return this.#connections;
  }

  /** How many addresses and networks are remembered. */
  get size(): number {
    return this.#groups.size;
  }

  /** Counts a connection in, unless there are too many; false: refuse it, and do not call {@link leave}. */
  enter(address: string, now: number): boolean {
    const { connections, reserved, perAddress } = this.#limits;
    const local = isLoopbackAddress(address);
    if (this.#connections >= (local ? connections : connections - reserved)) return false;
    const groups = this.#of(address, now);
    if (!local && groups.some(([group, times]) => group.connections >= perAddress * times)) return false;
    for (const [group] of groups) group.connections += 1;
    this.#connections += 1;
    return true;
  }

  leave(address: string, now: number): void {
    for (const [group] of this.#of(address, now)) group.connections -= 1;
    this.#connections -= 1;
  }

  /** Whether a request is in time; false: answer 429. */
  request(address: string, now: number): boolean {
    // Every bucket is asked, so that the network's is charged, too.
    return this.#of(address, now).reduce((all, [group, times]) => group.bucket.take(now, 1 / times) && all, true);
  }

  #of(address: string, now: number): (readonly [Group, number])[] {
    const network = addressNetwork(address);
    const own = [this.#group(address, now), 1] as const;
    return network === undefined ? [own] : [own, [this.#group(network, now), wholeNetwork] as const];
  }

  #group(key: string, now: number): Group {
    const found = this.#groups.get(key);
    if (found) this.#groups.delete(key);
    const group = found ?? { connections: 0, bucket: new TokenBucket(this.#limits.requests, now) };
    this.#groups.set(key, group);
    if (this.#groups.size > mostRemembered + this.#connections * 2) this.#forgetOne();
    return group;
  }

  #forgetOne(): void {
    for (const [key, group] of this.#groups) {
      if (group.connections > 0) continue;
      this.#groups.delete(key);
      return;
    }
  }
}
