/** Rate limits. A bucket holds up to `burst` tokens and gains `perSecond`; what finds none is refused. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #at: number;

  constructor(rate: Rate, now: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#at = now;
  }

  take(now: number, cost = 1): boolean {
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + ((now - this.#at) * this.#rate.perSecond) / 1000);
    this.#at = now;
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }
}

/** A bucket for each client and one for all together, so that one loud client leaves the others their answers. */
export class RateLimiter {
  readonly #perClient: Rate;
  readonly #total: TokenBucket;
  readonly #clients = new Map<string, TokenBucket>();
  readonly #maxClients: number;

  constructor(perClient: Rate, total: Rate, now: number, maxClients = 1000) {
    this.#perClient = perClient;
    this.#total = new TokenBucket(total, now);
    this.#maxClients = maxClients;
  }

  /** @param client absent where the broker does not tell: then only the total counts. */
  take(client: string | undefined, now: number): boolean {
    if (client === undefined) return this.#total.take(now);
    let bucket = this.#clients.get(client);
    if (!bucket) {
      bucket = new TokenBucket(this.#perClient, now);
      const oldest = this.#clients.size >= this.#maxClients ? this.#clients.keys().next().value : undefined;
      if (oldest !== undefined) this.#clients.delete(oldest);
      this.#clients.set(client, bucket);
    }
    return bucket.take(now) && this.#total.take(now);
  }
}
