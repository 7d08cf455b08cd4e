/** What is printed of one result. */

import { printable } from '../../shared/names.ts';
import type { CommittedResult } from '../../shared/schemas/job-out.ts';

export interface Printed {
  readonly out: string;
  readonly err: string;
  /** The whole output, where `out` is only its end: SHA-256 of an artifact. */
  readonly whole?: string;
}

/** Of a command what it wrote, as it stands; of other work what it gave back: texts as they stand, all else as JSON. */
export function printed({ end, state }: CommittedResult, tag: string | undefined): Printed {
  if (!end) return { out: '', err: '' };
  const isCommand = end.out !== undefined || end.errout !== undefined || end.exit !== undefined;
  const value = isCommand || state === 'failed' ? (end.out ?? '') : valueText(end.value);
  const whole = end.out_sha256 === undefined ? {} : { whole: end.out_sha256 };
  return { out: tagged(value, tag), err: tagged(end.errout ?? '', tag), ...whole };
}

export function valueText(value: unknown): string {
  if (value === undefined) return '';
  return `${typeof value === 'string' ? value : JSON.stringify(value)}\n`;
}

function tagged(text: string, tag: string | undefined): string {
  if (tag === undefined || text === '') return text;
  const lines = (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
  return `${lines.map(line => `${tag}\t${line}`).join('\n')}\n`;
}

/** One line of `--json`. `task` is the number that `{#}` stands for. */
export function jsonLine(
  one: CommittedResult,
  task: number,
  args: Readonly<Record<string, string>> | undefined,
): string {
  const { index: _, end, ...rest } = one;
  return `${JSON.stringify({ task, ...rest, ...(args && { args }), ...end })}\n`;
}

/** One sentence on why a task failed. */
export function failureLine({ node, attempts, end }: CommittedResult, task: number): string {
  const how =
    end?.exit !== undefined
      ? `exit status ${end.exit}`
      : end?.signal !== undefined
        ? `ended by ${end.signal}`
        : (end?.why ?? 'no reason was given');
  const why = end?.err === undefined ? how : printable(end.err, 1000);
  const where = node === '' ? '' : ` on ${node}`;
  return `task ${task} failed${where}${attempts > 1 ? ` (${attempts} attempts)` : ''}: ${why}`;
}
