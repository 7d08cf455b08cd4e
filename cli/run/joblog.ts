/** `--joblog`: one line for each task as it ends, in the columns of GNU parallel, and `--resume` by it. */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { printable } from '../../shared/names.ts';
import type { CommittedResult } from '../../shared/schemas/job-out.ts';
import { UserError } from '../../shared/user-error.ts';

const head = 'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n';

export interface LogLine {
  /** Task's number, from 1. */
  readonly seq: number;
  readonly command: string;
  /** Bytes of standard input. */
  readonly send: number;
}

/** @param now epoch ms. */
export function logLine(one: CommittedResult, { seq, command, send }: LogLine, now: number): string {
  const { node, ms, end, state } = one;
  const name = end?.signal?.replace(/^(?!SIG)/, 'SIG');
  const signal = name === undefined ? 0 : (constants.signals[name as NodeJS.Signals] ?? 0);
  // What failed without a status of its own must not look like a success.
  const exit = end?.exit ?? (state === 'failed' && signal === 0 ? 255 : 0);
  const columns = [
    seq,
    node === '' ? ':' : node,
    ((now - ms) / 1000).toFixed(3),
    (ms / 1000).toFixed(3).padStart(10),
    send,
    Buffer.byteLength(end?.out ?? ''),
    exit,
    signal,
    command.replace(/[\t\n]/g, ' '),
  ];
  return `${columns.join('\t')}\n`;
}

/** Numbers of the tasks that succeeded, by the log of an earlier run. The last line of a task is what counts. */
export function succeededIn(text: string): ReadonlySet<number> {
  const done = new Set<number>();
  for (const line of text.split('\n')) {
    const [seq = '', , , , , , exit, signal, command] = line.split('\t');
    // A line that was cut off says nothing.
    if (!/^\d{1,15}$/.test(seq) || command === undefined) continue;
    if (exit === '0' && signal === '0') done.add(Number(seq));
    else done.delete(Number(seq));
  }
  return done;
}

export class Joblog {
  readonly #file: number;

  /** @param goOn appends to what is there. @throws UserError */
  constructor(path: string, goOn: boolean) {
    try {
      this.#file = openSync(path, goOn ? 'a+' : 'w', 0o644);
    } catch (error) {
      throw unusable(path, error);
    }
    const before = goOn ? readLog(path) : '';
    if (before === '') writeSync(this.#file, head);
    else if (!before.endsWith('\n')) writeSync(this.#file, '\n');
  }

  write(lines: string): void {
    if (lines !== '') writeSync(this.#file, lines);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Empty where there is none yet. */
export function readLog(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw unusable(path, error);
  }
}

const unusable = (path: string, error: unknown): UserError =>
  new UserError(`--joblog: ${printable(path, 200)} cannot be used (${(error as NodeJS.ErrnoException).code}).`);
