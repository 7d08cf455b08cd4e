/**
 * Energy of nodes and rooms; that of jobs is in their own records. Counted in whole mJ (a watt for a millisecond is one mJ, so nothing is converted) as BigInt
 * within a signed 64-bit number: 2^63 - 1 mJ are 2.5 thousand million kWh; who gets there stays there. The part of an mJ that
 * is left is carried to the next reading.
 *
 * What is shown never falls, also over a crash: `kwh` shows only what was said to be on disk. Pure: whoever holds it writes
 * {@link Ledger.entries}, and says when they are synced.
 */

/** Without a reading for longer nobody knows what was drawn. */
export const longestGapMs = 30_000;
const mostMj = 2n ** 63n - 1n;
const mjPerKwh = 3_600_000_000;
const mostW = 1_000_000;
const mostKeys = 20_000;
const mostWaiting = 4;
const keyForm = /^(node|room)\/[a-z0-9-]{1,64}$/;
const mjForm = /^\d{1,19}$/;

interface Account {
  mj: bigint;
  /** Part of an mJ, below 1. */
  rest: number;
  shown: bigint;
}

/** A key's whole mJ as decimal text, or undefined: to be deleted. */
export type LedgerEntry = readonly [key: string, mj: string | undefined];

export interface LedgerEntries {
  readonly seq: number;
  readonly entries: readonly LedgerEntry[];
}

export class Ledger {
  readonly #accounts = new Map<string, Account>();
  /** What differs from the disk; undefined: to be deleted. */
  readonly #changed = new Map<string, Account | undefined>();
  /** Handed out, not yet said to be on disk. */
  readonly #waiting = new Map<number, ReadonlyMap<string, readonly [Account | undefined, bigint]>>();
  #seq = 0;
  #refused = 0;

  /** Keys that there was no room for, and readings that were none. */
  get refused(): number {
    return this.#refused;
  }

  get size(): number {
    return this.#accounts.size;
  }

  keys(): Iterable<string> {
    return this.#accounts.keys();
  }

  /**
   * What was written once; before the first `add`. A value that is none is left out.
   * @returns how many were left out
   */
  load(entries: Iterable<readonly [key: string, mj: unknown]>): number {
    let left = 0;
    for (const [key, text] of entries) {
      const mj = typeof text === 'string' && mjForm.test(text) ? BigInt(text) : undefined;
      if (!keyForm.test(key) || mj === undefined || mj > mostMj || this.#accounts.size >= mostKeys) left++;
      else this.#accounts.set(key, { mj, rest: 0, shown: mj });
    }
    return left;
  }

  /**
   * This many watts since the last reading.
   * @param key `node/x` or `room/x`
   * @param ms since then; more than {@link longestGapMs} is not counted
   */
  add(key: string, watts: number, ms: number): void {
    if (!(watts >= 0 && watts <= mostW && ms > 0 && Number.isFinite(ms))) {
      if (watts !== 0 && ms !== 0) this.#refused++;
      return;
    }
    if (ms > longestGapMs) return;
    const account = this.#account(key);
    if (!account) {
      this.#refused++;
      return;
    }
    const sum = account.rest + watts * ms;
    const whole = Math.floor(sum);
    account.rest = sum - whole;
    if (whole === 0) return;
    const mj = account.mj + BigInt(whole);
    account.mj = mj > mostMj ? mostMj : mj;
    this.#changed.set(key, account);
  }

  #account(key: string): Account | undefined {
    const known = this.#accounts.get(key);
    if (known) return known;
    if (!keyForm.test(key) || this.#accounts.size >= mostKeys) return undefined;
    const account: Account = { mj: 0n, rest: 0, shown: 0n };
    this.#accounts.set(key, account);
    return account;
  }

  /** Everything that differs from the disk; again, with what came since, until it was said to be there. */
  entries(): LedgerEntries {
    const seq = ++this.#seq;
    const taken = new Map<string, readonly [Account | undefined, bigint]>();
    for (const [key, account] of this.#changed) taken.set(key, [account, account?.mj ?? 0n]);
    this.#waiting.set(seq, taken);
    // Who never says so: the newest are enough, since each has all that is not on disk.
    for (const old of this.#waiting.keys()) {
      if (this.#waiting.size <= mostWaiting) break;
      this.#waiting.delete(old);
    }
    return { seq, entries: [...taken].map(([key, [account, mj]]) => [key, account && mj.toString()]) };
  }

  /** These entries, handed out with this `seq`, are synced: they may be shown. */
  persisted(seq: number): void {
    const taken = this.#waiting.get(seq);
    if (!taken) return;
    this.#waiting.delete(seq);
    for (const [key, [account, mj]] of taken) {
      if (this.#changed.has(key) && this.#changed.get(key) === account && (account?.mj ?? 0n) === mj)
        this.#changed.delete(key);
      if (account && mj > account.shown) account.shown = mj;
    }
  }

  /** As far as it is on disk; never falls. 0 for who is not known. */
  kwh(key: string): number {
    return Number(this.#accounts.get(key)?.shown ?? 0n) / mjPerKwh;
  }

  /** As {@link kwh}, in whole mJ. */
  mj(key: string): bigint {
    return this.#accounts.get(key)?.shown ?? 0n;
  }

  /** The thing is gone; one of its name begins anew. */
  forget(key: string): void {
    if (this.#accounts.delete(key)) this.#changed.set(key, undefined);
  }
}
