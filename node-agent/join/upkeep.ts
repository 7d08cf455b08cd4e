/**
 * When a member renews its certificate, fetches the trust bundle and asks the time: well before it must, soon when something
 * tells that it should, and slowly where it is refused. Pure. Certificates live by trusted time, waiting by the monotonic clock.
 */
import { fullJitter, type Random } from '../../shared/clock.ts';

export const upkeepTimes = {
  /** Of the certificate's life: it is renewed somewhere between these. */
  renewFrom: 0.6,
  renewTo: 2 / 3,
  /** The first look after a start, so that a fleet that was started together does not ask together; then every so often. */
  firstLookMs: 60_000,
  lookMs: 6 * 3_600_000,
  /** A new bundle is fetched within this by everybody who heard of it. */
  soonMs: 30_000,
  failedMs: 5000,
  failedCapMs: 3_600_000,
  /** While nothing works without it. */
  urgentCapMs: 60_000,
  deniedMs: 600_000,
  deniedCapMs: 6 * 3_600_000,
} as const;

/** This many connections in a row that were made and then ended before anything was said: the broker refuses this node. */
const refusedAfter = 3;

export interface Life {
  readonly from: number;
  readonly to: number;
}

export type UpkeepEffect =
  /** A new certificate, with the bundle and the time. */
  | { readonly type: 'renew' }
  /** The bundle and the time only. */
  | { readonly type: 'look' };

/** What is asked for, the weightier one last. */
const work = { none: 0, look: 1, renew: 2 } as const;

export class Upkeep {
  readonly #random: Random;
  #life: Life;
  /** In trusted time. */
  #renewAt: number;
  /** On the monotonic clock, as the rest. */
  #lookAt: number;
  #retryAt = Number.NEGATIVE_INFINITY;
  #wanted: number = work.none;
  #busy = false;
  #failures = 0;
  #denials = 0;
  #refusals = 0;
  /** A refusal is no reason to renew before this. */
  #askWhyAt = Number.NEGATIVE_INFINITY;

  constructor(life: Life, random: Random, now: number) {
    this.#random = random;
    this.#life = life;
    this.#renewAt = this.#duty(life);
    this.#lookAt = now + random.next() * upkeepTimes.firstLookMs;
  }

  #duty({ from, to }: Life): number {
    const { renewFrom, renewTo } = upkeepTimes;
    return from + (to - from) * (renewFrom + (renewTo - renewFrom) * this.#random.next());
  }

  /** The certificate is of no use. @param trusted time. */
  expired(trusted: number): boolean {
    return trusted > this.#life.to;
  }

  /** The supervisor refuses this node: how long it is to stay away. 0 where it does not. */
  get stayAwayMs(): number {
    return this.#denials === 0 ? 0 : this.#denialWait(1);
  }

  /** When to call `due` next, on the monotonic clock. */
  deadline(now: number, trusted: number): number {
    if (this.#busy) return Number.POSITIVE_INFINITY;
    const wanted = this.#wanted > work.none ? now : Number.POSITIVE_INFINITY;
    const at = Math.min(this.#lookAt, now + Math.max(0, this.#renewAt - trusted), wanted);
    return Math.max(at, this.#retryAt);
  }

  /** What is to be done now. Nothing else comes before `renewed`, `looked`, `failed` or `denied` has been called. */
  due(now: number, trusted: number): UpkeepEffect | undefined {
    if (this.#busy || now < this.#retryAt) return undefined;
    if (trusted >= this.#renewAt) this.#wanted = work.renew;
    else if (now >= this.#lookAt) this.#wanted = Math.max(this.#wanted, work.look);
    if (this.#wanted === work.none) return undefined;
    this.#busy = true;
    return { type: this.#wanted === work.renew ? 'renew' : 'look' };
  }

  /** Everybody hears at once that there is a newer bundle. */
  newBundle(now: number): void {
    this.#lookAt = Math.min(this.#lookAt, now + this.#random.next() * upkeepTimes.soonMs);
  }

  /** The supervisor's certificate could not be verified: there may be a newer bundle, or this clock is wrong. */
  distrusted(): void {
    this.#wanted = Math.max(this.#wanted, work.look);
  }

  /** The bundle has a newer CA than the one that signed this certificate. */
  oldIssuer(trusted: number): void {
    this.#renewAt = Math.min(this.#renewAt, trusted);
  }

  /** The broker said no, or ended `refusedAfter` connections without a word: asking for a new certificate tells why. */
  refused(certain: boolean, now: number): void {
    this.#refusals = certain ? refusedAfter : this.#refusals + 1;
    if (this.#refusals < refusedAfter || now < this.#askWhyAt) return;
    this.#refusals = 0;
    this.#wanted = work.renew;
    // A broker that refuses whatever the certificate is not asked for one after the other.
    this.#askWhyAt = now + upkeepTimes.deniedMs;
  }

  up(): void {
    this.#refusals = 0;
    this.#denials = 0;
    this.#askWhyAt = Number.NEGATIVE_INFINITY;
  }

  renewed(life: Life, now: number): void {
    this.#life = life;
    this.#renewAt = this.#duty(life);
    this.#denials = 0;
    this.looked(now);
    this.#wanted = work.none;
  }

  looked(now: number): void {
    this.#busy = false;
    this.#failures = 0;
    if (this.#wanted === work.look) this.#wanted = work.none;
    this.#retryAt = now + upkeepTimes.failedMs;
    this.#lookAt = now + upkeepTimes.lookMs * (0.75 + 0.5 * this.#random.next());
  }

  failed(now: number, trusted: number): void {
    this.#busy = false;
    const { failedMs, failedCapMs, urgentCapMs } = upkeepTimes;
    const cap = this.expired(trusted) || this.#wanted > work.none ? urgentCapMs : failedCapMs;
    this.#retryAt = now + failedMs + fullJitter(this.#failures++, failedMs, cap, this.#random);
    // What was only a matter of time is one still.
    if (this.#lookAt <= now) this.#lookAt = this.#retryAt;
  }

  denied(now: number): void {
    this.#busy = false;
    this.#wanted = work.none;
    this.#denials++;
    this.#retryAt = now + this.#denialWait(0.5 + 0.5 * this.#random.next());
    this.#lookAt = Math.max(this.#lookAt, this.#retryAt);
  }

  #denialWait(share: number): number {
    const { deniedMs, deniedCapMs } = upkeepTimes;
    return share * Math.min(deniedCapMs, deniedMs * 2 ** Math.min(20, this.#denials - 1));
  }
}
