/**
 * What of a session is still to be said, and when: at once where nothing was said for a moment, else gathered, so that a
 * single task answers in no time and many do not cost a message each. Pure.
 */
import type { Held, Report } from '../../shared/schemas/work.ts';
import type { Outbox } from './outbox.ts';
import { spansOf } from './token-spans.ts';

export const reportTimes = {
  /** Between two reports, where the second has nothing that fills one. */
  gatherMs: 10,
  /** A link that took nothing is asked again. */
  refusedMs: 50,
} as const;

export const reportLimits = {
  /** With so many things to say, or so many bytes, nothing is waited for. */
  items: 500,
  bytes: 200 * 1024,
  /** In one report: below 256 kB together with one thing of the greatest size. */
  held: 3000,
  tokens: 1000,
  results: 2000,
} as const;

/** How much of each queue a report took. */
interface Portion {
  readonly have: number;
  readonly started: number;
  readonly results: number;
  readonly resultBytes: number;
  readonly returned: number;
  readonly checkpoints: readonly (readonly [number, string])[];
  readonly frozen: readonly number[] | undefined;
}

export interface Session {
  readonly inst: string;
  readonly epoch: number;
}

/** What stands on every report. */
export interface Standing {
  readonly slots: number;
  readonly credits: number;
}

/** Other than whatever there is to say. */
const nothing: Standing = { slots: -1, credits: -1 };

export class Reporting {
  readonly session: Session;
  #seq: number;
  #have: readonly Held[] | undefined;
  #haveAt = 0;
  #answers: number | undefined;
  #started: number[] = [];
  #results: number[] = [];
  #resultBytes = 0;
  #returned: number[] = [];
  readonly #checkpoints = new Map<number, string>();
  #frozen: readonly number[] | undefined;
  /** On its way to the link. */
  #portion: Portion | undefined;
  #lastAt = Number.NEGATIVE_INFINITY;
  #notBefore = Number.NEGATIVE_INFINITY;
  #said: Standing | undefined;

  constructor(session: Session, said: number) {
    this.session = session;
    this.#seq = said;
  }

  /** A report is due, whatever it says. */
  anyhow(): void {
    this.#said = nothing;
  }

  /**
   * Everything that is held, then these results; what was to be said of starts stands in `have`.
   * @param answers number of the question; 0: nobody asked (a question whose answer is not out yet keeps its number);
   *   undefined: from a supervisor of before questions had numbers.
   */
  everything(have: readonly Held[], results: Iterable<number>, outbox: Outbox, answers: number | undefined): void {
    this.#portion = undefined;
    if (answers !== 0 || !this.#have) this.#answers = answers;
    this.#have = have;
    this.#haveAt = 0;
    this.#started = [];
    this.#results = [...results];
    this.#resultBytes = this.#results.reduce((sum, token) => sum + (outbox.get(token)?.bytes ?? 0), 0);
  }

  started(tokens: readonly number[]): void {
    for (const token of tokens) this.#started.push(token);
  }

  result(token: number, bytes: number): void {
    this.#results.push(token);
    this.#resultBytes += bytes;
  }

  returned(tokens: readonly number[]): void {
    for (const token of tokens) this.#returned.push(token);
  }

  checkpoint(token: number, base64: string): void {
    this.#checkpoints.set(token, base64);
  }

  /** All that are frozen now. */
  frozen(tokens: readonly number[]): void {
    this.#frozen = tokens;
  }

  /** The supervisor has to know at once that it may send again, or must not any more. */
  #news({ slots, credits }: Standing): boolean {
    const said = this.#said;
    if (!said) return false;
    return slots !== said.slots || (credits === 0) !== (said.credits === 0) || credits >= 2 * said.credits + slots;
  }

  #waiting(standing: Standing): boolean {
    return (
      this.#have !== undefined ||
      this.#frozen !== undefined ||
      this.#started.length + this.#results.length + this.#returned.length + this.#checkpoints.size > 0 ||
      this.#news(standing)
    );
  }

  #full(): boolean {
    return (
      this.#have !== undefined ||
      this.#started.length + this.#results.length + this.#returned.length >= reportLimits.items ||
      this.#resultBytes >= reportLimits.bytes
    );
  }

  /** When the next report is due; infinite where there is nothing to say. */
  due(standing: Standing): number {
    if (this.#portion || !this.#waiting(standing)) return Number.POSITIVE_INFINITY;
    const at = this.#full() ? Number.NEGATIVE_INFINITY : this.#lastAt + reportTimes.gatherMs;
    return Math.max(at, this.#notBefore);
  }

  /** Whether nothing is to be waited for, not even for the end of this turn. */
  pressing(now: number): boolean {
    return this.#portion === undefined && this.#full() && now >= this.#notBefore;
  }

  /** @param live whether a token still is anybody's. */
  next(standing: Standing, outbox: Outbox, live: (token: number) => boolean): Report {
    const have = this.#have?.slice(this.#haveAt, this.#haveAt + reportLimits.held);
    const more = have !== undefined && this.#haveAt + have.length < (this.#have?.length ?? 0);
    let bytes = (have?.length ?? 0) * 50;
    let [started, returned, results, resultBytes] = [0, 0, 0, 0];
    const checkpoints: [number, string][] = [];
    // What `have` says of a task must be there before what became of it.
    if (!more) {
      started = Math.min(this.#started.length, reportLimits.tokens);
      returned = Math.min(this.#returned.length, reportLimits.tokens);
      bytes += (started + returned) * 20;
      for (const [token, base64] of this.#checkpoints) {
        if (bytes > 0 && bytes + base64.length > reportLimits.bytes) break;
        checkpoints.push([token, base64]);
        bytes += base64.length;
      }
      // A result must not come before the start or the bytes of its task.
      const before = started === this.#started.length && checkpoints.length === this.#checkpoints.size;
      while (before && results < Math.min(this.#results.length, reportLimits.results)) {
        const size = outbox.get(this.#results[results] ?? 0)?.bytes ?? 0;
        if (bytes > 0 && bytes + size > reportLimits.bytes) break;
        bytes += size;
        resultBytes += size;
        results++;
      }
    }
    const seq = this.#seq;
    // As `started`: what is frozen has begun.
    const frozen = more || started < this.#started.length ? undefined : this.#frozen;
    this.#portion = { have: have?.length ?? 0, started, results, resultBytes, returned, checkpoints, frozen };
    this.#said = standing;
    const found = this.#results
      .slice(0, results)
      .flatMap(token => outbox.get(token)?.ended ?? [])
      .map(({ token, ms, shareMs, end }): NonNullable<Report['results']>[number] =>
        end === undefined ? [token, ms, shareMs] : [token, ms, shareMs, end],
      );
    const startedNow = this.#started.slice(0, started).filter(token => live(token) || outbox.has(token));
    return {
      ...{ ...this.session, seq, ...standing },
      ...(have === undefined ? {} : { have }),
      ...(have === undefined || this.#answers === undefined ? {} : { answers: this.#answers }),
      ...(more ? { more } : {}),
      ...(startedNow.length === 0 ? {} : { started: spansOf(startedNow) }),
      ...(found.length === 0 ? {} : { results: found }),
      ...(returned === 0 ? {} : { returned: spansOf(this.#returned.slice(0, returned)) }),
      ...(frozen === undefined ? {} : { frozen: spansOf(frozen.filter(live)) }),
      ...(checkpoints.length === 0 ? {} : { checkpoints }),
    };
  }

  /** What became of report `seq`. */
  outcome(seq: number, said: boolean, now: number): void {
    if (seq !== this.#seq) return;
    const portion = this.#portion;
    this.#portion = undefined;
    if (!said) {
      this.#notBefore = now + reportTimes.refusedMs;
      return;
    }
    this.#seq++;
    this.#lastAt = now;
    // Meanwhile everything was to be said anew.
    if (!portion) return;
    this.#haveAt += portion.have;
    if (this.#have && this.#haveAt >= this.#have.length) this.#have = undefined;
    this.#started.splice(0, portion.started);
    this.#returned.splice(0, portion.returned);
    for (const [token, base64] of portion.checkpoints) {
      if (this.#checkpoints.get(token) === base64) this.#checkpoints.delete(token);
    }
    if (this.#frozen === portion.frozen) this.#frozen = undefined;
    this.#results.splice(0, portion.results);
    this.#resultBytes = this.#results.length === 0 ? 0 : Math.max(0, this.#resultBytes - portion.resultBytes);
  }
}
