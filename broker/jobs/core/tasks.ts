/**
 * The tasks of one recipe: a byte each, so that a million of them are a megabyte. What is rare (failed attempts, losses)
 * takes its byte once it happens.
 *
 *   waiting    may be sent                     live       at least one attempt is in nodes' hands
 *   backoff    failed, and waits for its time  open       has replicas: see votes.ts
 *   held       ran before the supervisor's restart: its node may come back with it
 *   fetching   its values or checkpoint are being read; prepared: they are here, it may be sent
 *   succeeded, failed: committed
 */
import { Queue } from './queue.ts';

export const task = {
  waiting: 0,
  live: 1,
  backoff: 2,
  held: 3,
  fetching: 4,
  prepared: 5,
  open: 6,
  succeeded: 7,
  failed: 8,
} as const;
export type TaskState = (typeof task)[keyof typeof task];

export class Tasks {
  readonly n: number;
  readonly #states: Uint8Array;
  readonly #counts = new Array<number>(9).fill(0);
  #tries: Uint8Array | undefined;
  #losses: Uint8Array | undefined;
  /** Below it no task is waiting but those in `#again`. */
  #cursor = 0;
  readonly #again = new Queue<number>();

  constructor(n: number) {
    this.n = n;
    this.#states = new Uint8Array(n);
    this.#counts[task.waiting] = n;
  }

  state(index: number): TaskState {
    return (this.#states[index] ?? task.failed) as TaskState;
  }

  count(state: TaskState): number {
    return this.#counts[state] as number;
  }

  /** Tasks that are committed. */
  get ended(): number {
    return this.count(task.succeeded) + this.count(task.failed);
  }

  set(index: number, state: TaskState): void {
    const before = this.#states[index] as number;
    if (before === state) return;
    this.#states[index] = state;
    (this.#counts[before] as number)--;
    (this.#counts[state] as number)++;
    if (state === task.waiting && index < this.#cursor) this.#again.push(index);
  }

  /** The next that waits; the caller says what it is now. -1: none. Those that wait again come first. */
  take(): number {
    for (let index = this.#again.shift(); index !== undefined; index = this.#again.shift()) {
      // It may be there twice, or was adopted meanwhile.
      if (this.#states[index] === task.waiting) return index;
    }
    if (this.count(task.waiting) === 0) return -1;
    while (this.#cursor < this.n) {
      const index = this.#cursor++;
      if (this.#states[index] === task.waiting) return index;
    }
    return -1;
  }

  /** All in one of these states wait from now on. */
  rewind(states: readonly TaskState[]): void {
    for (let index = 0; index < this.n; index++) {
      if (states.includes(this.#states[index] as TaskState)) this.set(index, task.waiting);
    }
    this.#cursor = 0;
    this.#again.clear();
  }

  /** Attempts that failed. */
  tries(index: number): number {
    return this.#tries?.[index] ?? 0;
  }

  /** Attempts that were lost with their node. */
  losses(index: number): number {
    return this.#losses?.[index] ?? 0;
  }

  setTries(index: number, tries: number, losses: number): void {
    if (tries > 0 || this.#tries) {
      this.#tries ??= new Uint8Array(this.n);
      this.#tries[index] = Math.min(255, tries);
    }
    if (losses > 0 || this.#losses) {
      this.#losses ??= new Uint8Array(this.n);
      this.#losses[index] = Math.min(255, losses);
    }
  }

  /** Indexes in that state, as ranges; undefined: more than `most` of them. */
  ranges(state: TaskState, most: number): number[] | undefined {
    const ranges: number[] = [];
    if (this.count(state) === 0) return ranges;
    for (let index = 0; index < this.n; index++) {
      if (this.#states[index] !== state) continue;
      const first = index;
      while (index + 1 < this.n && this.#states[index + 1] === state) index++;
      ranges.push(first, index - first + 1);
      if (ranges.length > most * 2) return undefined;
    }
    return ranges;
  }

  /** As {@link set} for a whole range from a record; outside of the table is left out. */
  fill(first: number, n: number, state: TaskState): void {
    for (let index = Math.max(0, first); index < Math.min(this.n, first + n); index++) this.set(index, state);
  }
}
