/**
 * Two Hearths on one user's broker and one base would overwrite each other's rooms. Who comes back to the broker, or is
 * there already, stays; who comes second is silent, says so, and asks again every minute. Pure: the rule for two
 * supervisors on one outside broker (authority-rival.ts), but nobody has to end for it.
 */
import { judgeRival, rivalTimes, type Standing as Word } from '../authority-rival.ts';

export const uplinkTimes = {
  /** As long as {@link rivalTimes} says for supervisors. */
  probeMs: rivalTimes.probeMs,
  returnMs: rivalTimes.returnMs,
  /** Asked again so often, whether the other one is gone. */
  againMs: 60_000,
  /** Between two answers to one that asks. */
  answerMs: 200,
  /** What comes back within this after the first connection was so when Hearth was started. */
  firstMs: 30_000,
} as const;

export type StandingEffect =
  | { readonly type: 'hello'; readonly standing: Word }
  /** It may speak. */
  | { readonly type: 'lead' }
  /** Another one is there. `silent`: it is the one that stays, and nothing more may be said. */
  | { readonly type: 'rival'; readonly cluster: string; readonly silent: boolean }
  /** This broker is Hearth's own: nothing more may be said. `first`: at the first connection of this process. */
  | { readonly type: 'loop'; readonly first: boolean };

type State = 'away' | 'asking' | 'leading' | 'second';

export class UplinkStanding {
  readonly #boot: string;
  #state: State = 'away';
  #led = false;
  #connections = 0;
  #upAt = 0;
  #due = Number.POSITIVE_INFINITY;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(boot: string) {
    this.#boot = boot;
  }

  get leads(): boolean {
    return this.#state === 'leading';
  }

  get asks(): boolean {
    return this.#state === 'asking';
  }

  /** When {@link tick} has something to do. */
  get due(): number {
    return this.#due;
  }

  up(now: number): readonly StandingEffect[] {
    this.#upAt = now;
    this.#connections++;
    if (!this.#led) return this.#ask(now);
    this.#state = 'leading';
    return [{ type: 'hello', standing: 'returning' }, { type: 'lead' }];
  }

  down(): void {
    this.#state = 'away';
    this.#due = Number.POSITIVE_INFINITY;
  }

  tick(now: number): readonly StandingEffect[] {
    if (now < this.#due) return [];
    this.#due = Number.POSITIVE_INFINITY;
    if (this.#state === 'second') return this.#ask(now);
    if (this.#state !== 'asking') return [];
    this.#state = 'leading';
    this.#led = true;
    return [{ type: 'lead' }];
  }

  /** A hello that came live; a retained one is of any age. */
  heard(hello: { readonly boot: string; readonly cluster: string; readonly standing?: Word | undefined }, now: number) {
    const effects: StandingEffect[] = [];
    if (this.#state === 'away') return effects;
    const standing = this.#word(now);
    const verdict = judgeRival({ boot: this.#boot, standing }, hello);
    if (verdict === 'give-way') {
      // Silent already: the other one only answers whoever asks.
      if (this.#state !== 'second') effects.push({ type: 'rival', cluster: hello.cluster, silent: true });
      this.#giveWay(now);
    }
    if (verdict === 'both-stay' && now - this.#toldAt >= uplinkTimes.againMs) {
      this.#toldAt = now;
      effects.push({ type: 'rival', cluster: hello.cluster, silent: false });
    }
    if (verdict === 'stay' && this.#state !== 'second' && now - this.#answeredAt >= uplinkTimes.answerMs) {
      this.#answeredAt = now;
      effects.push({ type: 'hello', standing });
    }
    return effects;
  }

  /** What was said here was heard on Hearth's own broker, or the other way round. */
  looped(now: number): readonly StandingEffect[] {
    const told = this.#state === 'away' || this.#state === 'second';
    if (this.#state !== 'away') this.#giveWay(now);
    if (told) return [];
    return [{ type: 'loop', first: this.#connections === 1 && now - this.#upAt < uplinkTimes.firstMs }];
  }

  #giveWay(now: number): void {
    this.#state = 'second';
    this.#led = false;
    this.#due = now + uplinkTimes.againMs;
  }

  #ask(now: number): readonly StandingEffect[] {
    this.#state = 'asking';
    this.#due = now + uplinkTimes.probeMs;
    return [{ type: 'hello', standing: 'probing' }];
  }

  #word(now: number): Word {
    if (this.#state !== 'leading') return 'probing';
    return now - this.#upAt < uplinkTimes.returnMs ? 'returning' : 'settled';
  }
}
