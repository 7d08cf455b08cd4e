/** A task's end, as programs read it. */
import type { CommittedResult } from '../shared/schemas/job-out.ts';
import { TaskError } from './errors.ts';

export interface TaskResult<T = unknown> {
  /** Of the task's value in the input, from 0. */
  readonly index: number;
  readonly state: 'succeeded' | 'failed';
  /** What the plugin, package or code gave back; of a command what it wrote to standard output. */
  readonly value: T;
  readonly node: string;
  readonly attempts: number;
  /** The last attempt's own time. */
  readonly ms: number;
  /** Its share of the node's energy, where the node's watts are known. */
  readonly wh: number | undefined;
  /** Standard error of a command. */
  readonly errout: string | undefined;
  /** The files it left, by the output's name: SHA-256 of the artifact. */
  readonly files: Readonly<Record<string, string>>;
  /** Where the output was longer than a message holds, `value` is its end, and this artifact the whole. */
  readonly outSha256: string | undefined;
  /** Why it failed; undefined where it did not. */
  readonly error: TaskError | undefined;
}

/** @param offset index of the job's first task in the whole input. @param command whether it ran one. */
export function resultOf<T>(job: string, one: CommittedResult, offset: number, command: boolean): TaskResult<T> {
  const { index, state, node, attempts, ms, wh, end } = one;
  return {
    index: index + offset,
    state,
    value: (command ? (end?.out ?? '') : end?.value) as T,
    node,
    attempts,
    ms,
    wh,
    errout: end?.errout,
    files: end?.files ?? {},
    outSha256: end?.out_sha256,
    error: state === 'succeeded' ? undefined : failureOf(job, one, offset),
  };
}

/** What a step of a reduction gave back. A command's output is what its JSON says, where it is some: so the next step gets it. */
export function reducedOf<T>({ end }: CommittedResult): T {
  if (end?.value !== undefined || end?.out === undefined) return (end?.value ?? null) as T;
  return plainOf(end.out);
}

export function plainOf<T>(out: string): T {
  const text = out.replace(/\r?\n$/, '');
  try {
    return JSON.parse(text) as T;
  } catch {
    return text as T;
  }
}

export function failureOf(job: string, { index, node, attempts, end }: CommittedResult, offset: number): TaskError {
  const task = index + offset;
  const why = end?.why ?? 'error';
  const where = node === '' ? '' : ` on ${node}`;
  const reason = end?.err ?? why;
  const output = [end?.out, end?.errout].filter(text => text !== undefined && text !== '').join('\n');
  const message = `${job}: task ${task} failed${where} (attempt ${attempts}): ${reason}`;
  return new TaskError(why, message, { job, task, attempts, output, node, exit: end?.exit });
}
