/** One job, as a program holds it: what it is doing, its results, and what may be said to it. */
import type { JobIs, JobState } from '../shared/schemas/job.ts';
import type { CommittedResult } from '../shared/schemas/job-out.ts';
import { HearthError, JobError, type TaskError } from './errors.ts';
import { Follow, hasEnded } from './follow.ts';
import { failureOf, reducedOf, resultOf, type TaskResult } from './results.ts';
import type { Session } from './session.ts';

const mostFailures = 100;

export class JobHandle<T = unknown> {
  readonly id: string;
  readonly #session: Session;
  readonly #command: boolean;
  readonly #looks = new Set<() => void>();
  #is: JobIs | undefined;
  #error: HearthError | undefined;
  #unwatch = () => {};
  /** When the run ended that was asked to be tried again: what says so still is old. */
  #oldEnd: number | undefined;
  #done: Promise<JobIs> | undefined;

  /** Listens from here on. @param command whether its tasks are commands: then their output is the value. */
  constructor(session: Session, id: string, command: boolean) {
    this.id = id;
    this.#session = session;
    this.#command = command;
    this.#watch();
  }

  /** What it said of itself last; undefined before that. */
  get is(): JobIs | undefined {
    return this.#is;
  }

  get state(): JobState {
    return this.#is?.state ?? 'queued';
  }

  /** Resolves when it has succeeded. Rejects with a JobError when it has ended otherwise, HearthError when it can't be known. */
  get done(): Promise<JobIs> {
    this.#done ??= this.#ended();
    return this.#done;
  }

  /**
   * Results from the first one on, as they were committed, those of failed tasks included; ends with the job. May be called
   * again, and later: they come from the supervisor's journal.
   */
  async *results(): AsyncGenerator<TaskResult<T>, void> {
    for await (const { results, reduced } of new Follow(this.#session, this.id)) {
      if (reduced) continue;
      for (const one of results) yield resultOf<T>(this.id, one, 0, this.#command);
    }
  }

  /** What its reduction gave back, once it has succeeded. @throws JobError */
  async reduced<R = T>(): Promise<R> {
    await this.done;
    let last: CommittedResult | undefined;
    for await (const { results, reduced } of new Follow(this.#session, this.id)) {
      for (const one of reduced ? results : []) if (!last || one.index >= last.index) last = one;
    }
    if (!last) throw new HearthError('input', `${this.id} has no reduction.`);
    return reducedOf<R>(last);
  }

  /** Ends everything that runs of it, too. */
  async cancel(): Promise<void> {
    await this.#session.order(this.id, 'cancel');
  }

  /** Runs once, when it has ended or nothing more will be heard of it. */
  onEnd(run: () => void): void {
    const look = () => {
      if (!this.#error && !(this.#is && hasEnded(this.#is))) return;
      this.#looks.delete(look);
      run();
    };
    this.#looks.add(look);
    look();
  }

  /** What runs goes on; nothing new is started. */
  async pause(): Promise<void> {
    await this.#session.order(this.id, 'pause');
  }

  async resume(): Promise<void> {
    await this.#session.order(this.id, 'resume');
  }

  /** Its failed tasks once more, with all their retries. */
  async retry(): Promise<void> {
    const end = this.#is?.ended_ms;
    await this.#session.order(this.id, 'retry');
    this.#oldEnd = end;
    if (end === this.#is?.ended_ms) this.#is = undefined;
    this.#done = undefined;
    this.#unwatch();
    this.#watch();
  }

  /** Nothing is kept of it but its id. Only once it has ended, and only for an admin. */
  async forget(): Promise<void> {
    await this.#session.order(this.id, 'forget');
  }

  #watch(): void {
    const tell = () => {
      for (const look of [...this.#looks]) look();
    };
    this.#unwatch = this.#session.watch(this.id, {
      is: is => {
        if (is?.ended_ms !== undefined && is.ended_ms === this.#oldEnd) return;
        this.#is = is;
        if (!is) this.#error = new HearthError('unknown-job', `The job ${this.id} was forgotten.`);
        tell();
        // A job that has ended says nothing more, unless somebody has it tried again.
        if (is && hasEnded(is)) queueMicrotask(() => this.#unwatch());
      },
      closed: error => {
        this.#error = error;
        tell();
      },
    });
  }

  async #ended(): Promise<JobIs> {
    await new Promise<void>(resolve => this.onEnd(resolve));
    const is = this.#is;
    if (!is || !hasEnded(is)) throw this.#error;
    if (is.state === 'succeeded') return is;
    throw new JobError(is.state as never, `${this.id} ${wordOf(is)}`, this.id, await this.#failures(is));
  }

  async #failures({ failed }: JobIs): Promise<TaskError[]> {
    const failures: TaskError[] = [];
    const wanted = Math.min(failed, mostFailures);
    if (wanted === 0) return failures;
    for await (const { results } of new Follow(this.#session, this.id)) {
      for (const one of results) if (one.state === 'failed') failures.push(failureOf(this.id, one, 0));
      if (failures.length >= wanted) return failures.slice(0, mostFailures);
    }
    return failures;
  }
}

const wordOf = ({ state, err, failed, tasks }: JobIs): string => {
  const why = err === '' ? '' : `: ${err}`;
  return state === 'failed' ? `failed: ${failed} of ${tasks} tasks did${why}` : `was ${state}${why}`;
};
