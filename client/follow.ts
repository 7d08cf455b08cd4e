/** Follows one job: the batches of its `out` in order, without gaps, and its state. */
import type { JobIs, JobState } from '../shared/schemas/job.ts';
import type { JobOut } from '../shared/schemas/job-out.ts';
import { HearthError } from './errors.ts';
import { OutOrder } from './out-order.ts';
import type { Session } from './session.ts';

export const followTimes = {
  /** What is said to exist may be on its way. */
  graceMs: 50,
  /** Asked for, and not come. */
  againMs: 3000,
  /** So many in a row, and what is missing will never come. */
  refusals: 5,
} as const;

const ends: ReadonlySet<JobState> = new Set(['succeeded', 'failed', 'rejected', 'timed-out', 'canceled']);
export const hasEnded = (is: JobIs): boolean => ends.has(is.state);

export interface FollowOptions {
  /** First batch that is wanted; default 0, all that ever were. */
  readonly from?: number;
  /** Whenever the job says something of itself. */
  readonly onIs?: (is: JobIs) => void;
}

/** Listens from when it is made, and until `close`. Who does not call `next` is not overrun: batches are asked for again. */
export class Follow {
  readonly #session: Session;
  readonly #job: string;
  readonly #order: OutOrder;
  readonly #unwatch: () => void;
  #is: JobIs | undefined;
  #error: HearthError | undefined;
  #closed = false;
  /** In a row. */
  #refusals = 0;
  #wake = () => {};

  constructor(session: Session, job: string, { from = 0, onIs }: FollowOptions = {}) {
    this.#session = session;
    this.#job = job;
    this.#order = new OutOrder(from);
    this.#unwatch = session.watch(job, {
      is: is => {
        if (is) {
          this.#is = is;
          this.#order.is(is.outs, hasEnded(is));
          onIs?.(is);
        } else this.#error = new HearthError('unknown-job', `The job ${job} was forgotten.`);
        this.#wake();
      },
      out: batch => {
        this.#refusals = 0;
        this.#order.batch(batch);
        this.#wake();
      },
      up: () => this.#wake(),
      closed: error => {
        this.#error = error;
        this.#wake();
      },
    });
  }

  /** What the job said of itself last; undefined before anything was heard. */
  get is(): JobIs | undefined {
    return this.#is;
  }

  /** The next batch, as soon as there is one; undefined at the end of the job. One call at a time. @throws HearthError */
  async next(): Promise<JobOut | undefined> {
    let askedAt = Number.NEGATIVE_INFINITY;
    let seenAt: number | undefined;
    while (!this.#closed) {
      const batch = this.#order.take();
      if (batch) return batch;
      if (this.#error) throw this.#error;
      if (this.#order.over) return undefined;
      const missing = this.#order.missing();
      if (!missing) {
        await this.#changed(undefined);
        continue;
      }
      const now = performance.now();
      seenAt ??= now;
      const due = Math.max(seenAt + followTimes.graceMs, askedAt + followTimes.againMs);
      if (now < due) {
        await this.#changed(due - now);
        continue;
      }
      askedAt = now;
      this.#ask(missing);
    }
    return undefined;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<JobOut> {
    try {
      for (let batch = await this.next(); batch; batch = await this.next()) yield batch;
    } finally {
      this.close();
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unwatch();
    this.#wake();
  }

  #ask(missing: { from: number; to: number }): void {
    this.#session.order(this.#job, 'out', missing).catch((error: unknown) => {
      // No answer is no reason to give up, it is asked again; and a supervisor may have too much to do just now.
      if (!(error instanceof HearthError) || error.code === 'no-answer') return;
      if (error.code === 'refused' && ++this.#refusals < followTimes.refusals) return;
      this.#error ??= error;
      this.#wake();
    });
  }

  #changed(ms: number | undefined): Promise<void> {
    return new Promise(resolve => {
      const timer = ms === undefined ? undefined : setTimeout(() => this.#wake(), ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = () => {};
        resolve();
      };
    });
  }
}
