/** What goes wrong, as classes. `code` is a stable word to compare; the message is one sentence for people. */
import type { Failure } from '../shared/schemas/work.ts';

export type HearthErrorCode =
  /** No connection, or none any more. */
  | 'connect'
  | 'closed'
  /** The supervisor has not answered in time. */
  | 'no-answer'
  /** The supervisor said no: the message says why. */
  | 'refused'
  /** There is no such job, or not any more. */
  | 'unknown-job'
  /** What was given cannot be sent. */
  | 'input'
  /** How a job ended. */
  | 'failed'
  | 'rejected'
  | 'timed-out'
  | 'canceled'
  /** How a task's last attempt ended. */
  | Failure;

export class HearthError extends Error {
  override readonly name: string = 'HearthError';
  readonly code: HearthErrorCode;

  constructor(code: HearthErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** One task that did not succeed, in its last attempt. */
export class TaskError extends HearthError {
  override readonly name = 'TaskError';
  readonly job: string;
  /** Index of the task's value in the input, from 0. */
  readonly task: number;
  /** How often it was tried. */
  readonly attempts: number;
  /** The last of what it wrote to standard output and standard error, in this order. */
  readonly output: string;
  readonly node: string;
  /** Exit status, where it was a command that ended by itself. */
  readonly exit: number | undefined;

  constructor(
    code: HearthErrorCode,
    message: string,
    at: { job: string; task: number; attempts: number; output: string; node: string; exit: number | undefined },
  ) {
    super(code, message);
    this.job = at.job;
    this.task = at.task;
    this.attempts = at.attempts;
    this.output = at.output;
    this.node = at.node;
    this.exit = at.exit;
  }
}

/** A job that ended without having succeeded. The results that there are stay readable: `job(id).results()`. */
export class JobError extends HearthError {
  override readonly name = 'JobError';
  readonly job: string;
  /** Of its failed tasks the first hundred, as they came. */
  readonly failures: readonly TaskError[];

  constructor(code: HearthErrorCode, message: string, job: string, failures: readonly TaskError[] = []) {
    super(code, message, failures[0] ? { cause: failures[0] } : undefined);
    this.job = job;
    this.failures = failures;
  }

  /** Of the first task that failed, where one did. */
  get task(): number | undefined {
    return this.failures[0]?.task;
  }

  get attempts(): number | undefined {
    return this.failures[0]?.attempts;
  }

  get output(): string | undefined {
    return this.failures[0]?.output;
  }
}
