/** What a task does, as a program says it, and the documents made of it. */
import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import type { arraySchema, jobDocument } from '../shared/schemas/job.ts';
import { HearthError } from './errors.ts';

/** A job's document as it is sent: what is left out has its default. */
export type JobInput = z.input<typeof jobDocument>;

type Reduction = NonNullable<JobInput['reduce']>;

/** A plugin by its name, or one of `run`, `plugin`, `package` and `code`. */
export type Work = string | Pick<JobInput, 'run' | 'plugin' | 'package' | 'main' | 'scripts' | 'code' | 'grant'>;

/** Ranges as text (`1-1000`), or several dimensions by their names: the job's `array`. */
export type Ranges = string | Exclude<z.input<typeof arraySchema>, readonly unknown[]>;
/** Values: each becomes one task. Iterables may be large or endless. */
export type Values<V> = readonly V[] | Iterable<V> | AsyncIterable<V>;

type OwnKeys = 'run' | 'plugin' | 'package' | 'main' | 'scripts' | 'code' | 'grant' | 'array' | 'items' | 'reduce';

/** The keys of the job's document, and what the client itself does with it. */
export interface MapOptions extends Omit<JobInput, OwnKeys> {
  /** Of the job; of several, `<id>-0001` and so on. The same again finds what is there already. Default: random. */
  readonly id?: string;
  /** Cancels the job, and everything that runs of it. */
  readonly signal?: AbortSignal;
  /** Tasks at the same time, at most. */
  readonly concurrency?: number;
  /** Jobs under way at the same time, where the input is cut into several. Default 4. */
  readonly jobs?: number;
  /** Tasks of one such job, at most. Default 10,000. */
  readonly jobTasks?: number;
  /** Told whenever something changed, a few times a second at most. */
  readonly onProgress?: (progress: Progress) => void;
}

export interface MapReduceOptions extends MapOptions {
  /** Gets results as a list and gives back one; it gets its own results again, so `[1, 2]` and `3` must do for `[1, 2, 3]`. */
  readonly reduce: Work | Reduction;
}

export interface Progress {
  /** That were sent so far. */
  readonly tasks: number;
  readonly queued: number;
  readonly running: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Energy, as far as it is known, Wh. */
  readonly wh: number;
}

export const workOf = (work: Work): Exclude<Work, string> => (typeof work === 'string' ? { plugin: work } : work);
export const reductionOf = (reduce: Work | Reduction): Reduction => workOf(reduce as Work) as Reduction;

/** The document without its values. */
export function documentOf(work: Work, options: MapOptions & Partial<MapReduceOptions>): JobInput {
  const { id, signal, concurrency, jobs, jobTasks, onProgress, reduce, ...keys } = options;
  return {
    ...keys,
    ...workOf(work),
    ...(reduce === undefined ? {} : { reduce: reductionOf(reduce) }),
    ...(concurrency === undefined ? {} : { max_parallel: concurrency }),
  };
}

/**
 * A function as inline code, which the cluster, the user and the node must allow (see docs/jobs.md). Only its text
 * travels: it sees its arguments and globals, and nothing around it.
 */
export function inline(fn: (data: never, ctx: never) => unknown): { readonly code: string } {
  const text = fn.toString();
  try {
    // Compiled, and never called: a method's or a native function's text is no expression.
    new Function(`return (${text}\n)`);
  } catch {
    throw new HearthError('input', 'Only a function or an arrow function can be sent as inline code.');
  }
  return { code: `export default ${text};\n` };
}

/** An id that says what the job does: `render-4f1c…`. */
export function makeId(document: JobInput): string {
  const { plugin, run, package: name, code } = document;
  const program = typeof run === 'string' ? run.trim().split(/\s/)[0] : run?.[0];
  const said = plugin ?? program?.split('/').pop() ?? name?.replace(/^npm:|@[^@/]*$/g, '') ?? (code ? 'code' : 'job');
  const word = said
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 30);
  return `${word || 'job'}-${randomBytes(6).toString('hex')}`;
}
