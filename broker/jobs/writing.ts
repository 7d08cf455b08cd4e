/** The core's writes, one after the other, each again and again until the disk has taken it; and what it reads. */
import type { Clock, Timer } from '../../shared/clock.ts';
import type { ContractError } from '../../shared/errors.ts';
import type { Log } from '../../shared/log.ts';
import type { Store, StoreOp } from '../../shared/store.ts';

/** Between two tries of what failed. */
export const againMs = 1000;

interface Write {
  readonly write: number;
  readonly ops: readonly StoreOp[];
}

export interface WritingParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  synced(write: number): void;
  /** Once for each write that the disk refused. */
  unsynced(write: number, error: ContractError): void;
}

export class Writing {
  readonly #parts: WritingParts;
  readonly #queue: Write[] = [];
  #underWay = false;
  #refused = false;
  #again: Timer | undefined;
  #closed: (() => void) | undefined;

  constructor(parts: WritingParts) {
    this.#parts = parts;
  }

  add(write: number, ops: readonly StoreOp[]): void {
    if (this.#closed) return;
    this.#queue.push({ write, ops });
    this.#next();
  }

  /** Reads until the disk gives it. Nothing is called after {@link close}. */
  read(keys: readonly string[], done: (values: readonly (string | undefined)[]) => void): void {
    const { store, clock, log } = this.#parts;
    store.get(keys, (error, values) => {
      if (this.#closed) return;
      if (!error) {
        done(values);
        return;
      }
      log.error({ error: error.message }, 'results of jobs cannot be read: it is tried again');
      clock.after(againMs, () => {
        if (!this.#closed) this.read(keys, done);
      });
    });
  }

  /** Nothing is begun any more; `done` when what is under way is over. */
  close(done: () => void): void {
    this.#closed = done;
    this.#again?.cancel();
    if (!this.#underWay) done();
  }

  #next(): void {
    const [first] = this.#queue;
    if (!first || this.#underWay || this.#again) return;
    this.#underWay = true;
    this.#parts.store.write(first.ops, error => {
      this.#underWay = false;
      if (this.#closed) this.#closed();
      else if (error) this.#failed(first.write, error);
      else this.#done(first.write);
    });
  }

  #done(write: number): void {
    this.#refused = false;
    this.#queue.shift();
    // The next sync runs while this one is told.
    this.#next();
    this.#parts.synced(write);
  }

  #failed(write: number, error: Error): void {
    const { clock, log, unsynced } = this.#parts;
    this.#again = clock.after(againMs, () => {
      this.#again = undefined;
      this.#next();
    });
    if (this.#refused) return;
    this.#refused = true;
    log.error({ error: error.message }, 'what happens to jobs cannot be written: it is tried again every second');
    unsynced(write, { code: 'journal', message: `not accepted, the journal could not be written: ${error.message}` });
  }
}
