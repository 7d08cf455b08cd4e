/** When what failed is tried again, and when to leave a file alone that somebody else keeps changing. Pure: time is handed in. */
import type { Random } from '../../../shared/clock.ts';

const firstMs = 30_000;
const longestMs = 3_600_000;
/** Steps further on at once where another try soon is not likely to go better. */
const hopelessSteps = 3;

export interface Failure {
  readonly sentence: string;
  /** Of the clock that was handed in. */
  readonly nextAt: number;
}

/** A file that was put right more often than this in {@link fightMs} is in a fight. */
const mostRepairs = 5;
const fightMs = 600_000;

export class Retries {
  readonly #failures = new Map<string, Failure & { readonly key: string; readonly attempts: number }>();
  readonly #repairs = new Map<string, { times: number[]; until: number; rounds: number }>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** @param key of what was tried: something else is tried at once. */
  failed(id: string, key: string, sentence: string, isLater: boolean, now: number): Failure {
    const before = this.#failures.get(id);
    const attempts = before?.key === key ? before.attempts + 1 : isLater ? 0 : hopelessSteps;
    const most = Math.min(longestMs, firstMs * 2 ** Math.min(attempts, 20));
    const failure = { key, attempts, sentence, nextAt: now + most * (0.5 + this.#random.next() / 2) };
    this.#failures.set(id, failure);
    return failure;
  }

  succeeded(id: string): void {
    this.#failures.delete(id);
  }

  /** The failure that is being waited out; undefined: there is none, it is due, or something else is wanted now. */
  waiting(id: string, key: string, now: number): Failure | undefined {
    const failure = this.#failures.get(id);
    return failure && failure.key === key && failure.nextAt > now ? failure : undefined;
  }

  /** The file was put right. */
  repaired(id: string, now: number): void {
    const known = this.#repairs.get(id) ?? { times: [], until: 0, rounds: 0 };
    known.times = [...known.times.filter(at => at > now - fightMs), now];
    if (known.times.length > mostRepairs) {
      // Each round of it is left alone for longer.
      known.until = now + Math.min(longestMs, fightMs * 2 ** known.rounds);
      known.rounds = Math.min(known.rounds + 1, 10);
      known.times = [];
    } else if (known.until < now - longestMs) known.rounds = 0;
    this.#repairs.set(id, known);
  }

  /** Until when a file that drifted again is left as it is; undefined: it may be put right. */
  fighting(id: string, now: number): number | undefined {
    const until = this.#repairs.get(id)?.until ?? 0;
    return until > now ? until : undefined;
  }

  /** When the first thing is due; undefined: nothing waits. */
  nextAt(now: number): number | undefined {
    const times = [...this.#failures.values()].map(failure => failure.nextAt);
    times.push(...[...this.#repairs.values()].map(({ until }) => until));
    const due = times.filter(at => at > now);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** Forgets all others. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const id of this.#failures.keys()) if (!ids.has(id)) this.#failures.delete(id);
    for (const id of this.#repairs.keys()) if (!ids.has(id)) this.#repairs.delete(id);
  }
}

export const fightSentence = (path: string): string =>
  `${path} was changed again and again after it was put right: another program on this node writes it too; find that program, or say "drift": "report"`;
