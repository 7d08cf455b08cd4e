/** `do/out`: batches of results from the store, published again; one request after the other, so that nobody drowns. */
import { type ContractError, ok, type Result } from '../../shared/errors.ts';
import type { Store } from '../../shared/store.ts';
import { outKey } from './core/records.ts';

export const replayLimits = {
  /** Requests that wait. */
  waiting: 1000,
  /** Batches that one request gets; who wants more asks again. */
  batches: 256,
  /** Read and published before the next ones are. */
  page: 8,
} as const;

interface Replay {
  readonly job: string;
  readonly from: number;
  readonly to: number;
  /** How many were sent. */
  readonly done: (sent: Result<number>) => void;
}

export interface ReplaysParts {
  readonly store: Store;
  out(job: string, text: string, done: () => void): void;
}

export class Replays {
  readonly #parts: ReplaysParts;
  readonly #queue: Replay[] = [];
  #running = false;

  constructor(parts: ReplaysParts) {
    this.#parts = parts;
  }

  /** @param to one past the last. @returns why not. */
  ask(replay: Replay): ContractError | undefined {
    if (this.#queue.length >= replayLimits.waiting) {
      return { code: 'full', message: `${replayLimits.waiting} such requests wait already: try again later` };
    }
    this.#queue.push(replay);
    this.#next();
    return undefined;
  }

  #next(): void {
    if (this.#running) return;
    const replay = this.#queue.shift();
    if (!replay) return;
    this.#running = true;
    this.#page(replay, replay.from, sent => {
      this.#running = false;
      replay.done(sent);
      this.#next();
    });
  }

  #page({ job, from, to }: Replay, at: number, done: (sent: Result<number>) => void): void {
    const end = Math.min(to, from + replayLimits.batches, at + replayLimits.page);
    if (at >= end) {
      done(ok(at - from));
      return;
    }
    const keys = Array.from({ length: end - at }, (_, index) => outKey(job, at + index));
    this.#parts.store.get(keys, (error, values) => {
      if (error) {
        done({ ok: false, error: { code: 'journal', message: `the results could not be read: ${error.message}` } });
        return;
      }
      const missing = values.indexOf(undefined);
      const there = (missing < 0 ? values : values.slice(0, missing)) as string[];
      let waiting = there.length + 1;
      const one = () => {
        if (--waiting > 0) return;
        if (missing < 0) this.#page({ job, from, to, done }, end, done);
        else done(ok(at - from + missing));
      };
      for (const text of there) this.#parts.out(job, text, one);
      one();
    });
  }
}
