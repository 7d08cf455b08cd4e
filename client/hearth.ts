/** A program's view of a cluster: work goes out, results come back. */
import { HearthError, JobError, type TaskError } from './errors.ts';
import { planned } from './input.ts';
import { JobHandle } from './job.ts';
import { type PartOut, runParts } from './parts.ts';
import { Tally } from './progress.ts';
import { reduceOnce } from './reduce.ts';
import { reducedOf, resultOf, type TaskResult } from './results.ts';
import type { Session } from './session.ts';
import {
  type JobInput,
  type MapOptions,
  type MapReduceOptions,
  makeId,
  type Ranges,
  reductionOf,
  type Values,
  type Work,
} from './work.ts';

const mostFailures = 100;

export interface RunOptions {
  /** The same document under the same id is the same job, for 30 days. Default: random. */
  readonly id?: string;
  /** Cancels the job. */
  readonly signal?: AbortSignal;
}

export interface StreamOptions extends MapOptions {
  /** Results in the order of the input, instead of as they come. */
  readonly ordered?: boolean;
  /** What a failed task does: `throw` ends all with its TaskError (default); `yield` gives it like the others, with `error`. */
  readonly failures?: 'throw' | 'yield';
}

export class Hearth {
  readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  /** Sends a job as it stands. @returns once it is accepted and in the journal. @throws HearthError `refused` with the reason. */
  async run<T = unknown>(document: JobInput, { id, signal }: RunOptions = {}): Promise<JobHandle<T>> {
    signal?.throwIfAborted();
    const name = id ?? makeId(document);
    const job = new JobHandle<T>(this.session, name, document.run !== undefined);
    const cancel = () => void job.cancel().catch(() => {});
    signal?.addEventListener('abort', cancel, { once: true });
    job.onEnd(() => signal?.removeEventListener('abort', cancel));
    await this.session.submit(name, document, { signal });
    return job;
  }

  /** A job that was sent before, by whomever. @throws HearthError `unknown-job` */
  async job<T = unknown>(id: string, { command = false } = {}): Promise<JobHandle<T>> {
    const job = new JobHandle<T>(this.session, id, command);
    try {
      await this.session.order(id, 'out', { from: 0, to: 0 });
    } catch (error) {
      if (!(error instanceof HearthError) || error.code !== 'refused') throw error;
      throw new HearthError('unknown-job', error.message, { cause: error });
    }
    return job;
  }

  /** One task for each value; their results in the order of the input. @throws JobError when all have ended and some failed. */
  map<T = unknown, V = unknown>(work: Work, input: Ranges | Values<V>, options?: MapOptions): Promise<T[]>;
  /** The results reduced to one. */
  map<T = unknown, V = unknown>(work: Work, input: Ranges | Values<V>, options: MapReduceOptions): Promise<T>;
  async map<T, V>(
    work: Work,
    input: Ranges | Values<V>,
    options: MapOptions & Partial<MapReduceOptions> = {},
  ): Promise<T[] | T> {
    const { command, id, ...plan } = planned(work, input, options);
    const tally = new Tally(options.onProgress);
    const values: T[] = [];
    const failures: TaskError[] = [];
    let failed = 0;
    const reducing = options.reduce !== undefined;
    /** By the number of the part, what its reduction gave back. */
    const partials: { index: number; value: T }[] = [];
    const outs = runParts(this.session, plan.parts, { most: plan.most, signal: options.signal, onIs: tally.onIs });
    for await (const { part, number, batch } of outs) {
      const isReduced = batch?.reduced === true;
      for (const one of batch?.results ?? []) {
        const result = resultOf<T>(part.id, one, isReduced ? 0 : part.offset, command);
        if (result.error) {
          failed++;
          if (failures.length < mostFailures) failures.push(result.error);
        } else if (isReduced) {
          if (one.index >= (partials[number]?.index ?? 0)) {
            partials[number] = { index: one.index, value: reducedOf<T>(one) };
          }
        } else if (!reducing) values[result.index] = result.value;
      }
    }
    if (failed > 0) {
      const [first] = failures;
      throw new JobError(
        'failed',
        `${id} failed: ${failed} of its tasks did; the first: ${first?.message}`,
        id,
        failures,
      );
    }
    if (options.reduce === undefined) return values;
    const reduction = reductionOf(options.reduce);
    return await reduceOnce<T>(
      this,
      reduction,
      partials.map(({ value }) => value),
      id,
      options,
    );
  }

  /** Results as they are committed. Leaving the loop cancels what is still to be done. */
  async *stream<T = unknown, V = unknown>(
    work: Work,
    input: Ranges | Values<V>,
    { ordered = false, failures = 'throw', ...options }: StreamOptions = {},
  ): AsyncGenerator<TaskResult<T>, void> {
    const plan = planned(work, input, options);
    const tally = new Tally(options.onProgress);
    const { most } = plan;
    const outs = runParts(this.session, plan.parts, { most, signal: options.signal, onIs: tally.onIs });
    const inTurn = ordered ? new InTurn<T>() : undefined;
    for await (const out of outs) {
      const results = resultsOf<T>(out, plan.command);
      for (const result of inTurn ? inTurn.take(results) : results) {
        if (result.error && failures === 'throw') throw result.error;
        yield result;
      }
    }
  }

  /** Jobs go on without this program. What waits for them here rejects. */
  close(): Promise<void> {
    return this.session.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const resultsOf = <T>({ part, batch }: PartOut, command: boolean): TaskResult<T>[] =>
  batch === undefined || batch.reduced ? [] : batch.results.map(one => resultOf<T>(part.id, one, part.offset, command));

/** Results by their index. What waits for its turn is no more than the jobs under way hold. */
class InTurn<T> {
  readonly #early = new Map<number, TaskResult<T>>();
  #next = 0;

  *take(results: readonly TaskResult<T>[]): Generator<TaskResult<T>> {
    for (const result of results) this.#early.set(result.index, result);
    for (let one = this.#early.get(this.#next); one; one = this.#early.get(this.#next)) {
      this.#early.delete(this.#next++);
      yield one;
    }
  }
}
