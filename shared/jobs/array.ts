/**
 * A job's array: from what people write to the values of task number so-and-so. Nothing is spelled out: ten million tasks
 * of a range cost no more than ten.
 */
import { fail, ok, type Result } from '../errors.ts';
import { printable } from '../names.ts';
import { type JobArray, jobLimits } from '../schemas/job.ts';

export interface CompiledArray {
  /** Tasks: all combinations. */
  readonly n: number;
  /** Of the dimensions, as written; `i` for the one without a name. */
  readonly names: readonly string[];
  /** Values by dimension of task `index` (from 0), the last dimension changes fastest. @throws RangeError out of 0 … n - 1. */
  at(index: number): Readonly<Record<string, string>>;
}

/** What the one dimension without a name is called. */
export const anonymous = 'i';
const mostDimensions = 16;

interface Dimension {
  readonly n: number;
  at(index: number): string;
}

/** `A`, `A-B` or `A-B:STEP`. Fifteen digits, so that every sum and difference is exact. */
const part = /^(-?\d{1,15})(?:-(-?\d{1,15})(?::(\d{1,15}))?)?$/;
/** A leading zero asks for all numbers of its range to be as wide. */
const padded = /^-?0\d/;
const digits = (text: string): number => text.replace('-', '').length;

function oneRange(text: string): Result<Dimension> {
  const [whole, first = '', last = first, step = '1'] = part.exec(text) ?? [];
  if (whole === undefined) {
    return fail(
      'schema',
      `"${printable(text)}" is not a range: write 1-100, 0-100:5 (a step) or 7, or a list of texts`,
    );
  }
  const [from, to, by] = [Number(first), Number(last), Number(step)];
  if (by === 0) return fail('schema', `"${printable(text)}" has a step of 0: use 1 or more`);
  const width = padded.test(first) || padded.test(last) ? Math.max(digits(first), digits(last)) : 0;
  const signed = from <= to ? by : -by;
  return ok({
    n: Math.floor(Math.abs(to - from) / by) + 1,
    at(index) {
      const value = from + index * signed;
      if (width === 0) return String(value);
      return `${value < 0 ? '-' : ''}${String(Math.abs(value)).padStart(width, '0')}`;
    },
  });
}

function ranges(text: string): Result<Dimension> {
  const parts: Dimension[] = [];
  /** Index of each part's first value. */
  const starts: number[] = [];
  let n = 0;
  for (const each of text.split(',')) {
    const range = oneRange(each.trim());
    if (!range.ok) return range;
    parts.push(range.value);
    starts.push(n);
    // Two thousand parts of 2e15 are beyond exact numbers, but nowhere near what is allowed.
    n += range.value.n;
  }
  const [only] = parts;
  if (only && parts.length === 1) return ok(only);
  return ok({
    n,
    at(index) {
      let [low, high] = [0, starts.length - 1];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if ((starts[middle] ?? 0) <= index) low = middle;
        else high = middle - 1;
      }
      return parts[low]?.at(index - (starts[low] ?? 0)) ?? '';
    },
  });
}

type JobDimension = string | readonly (string | number)[] | { readonly lines: string };

function dimension(value: JobDimension): Result<Dimension> {
  if (typeof value === 'string') return ranges(value);
  if (!Array.isArray(value)) return fail('not-available', 'the lines of the artifact were not read yet');
  return ok({ n: value.length, at: index => String(value[index]) });
}

/** Told by its value: a dimension may be called `lines`, but none is an artifact. */
const isUnread = (array: object): boolean =>
  'lines' in array && typeof array.lines === 'string' && array.lines.startsWith('artifact:');

const written = (array: JobArray): readonly (readonly [name: string, value: JobDimension])[] =>
  typeof array === 'string' || Array.isArray(array) || isUnread(array)
    ? [[anonymous, array as JobDimension]]
    : Object.entries(array as Record<string, JobDimension>);

/** @param array as accepted: `lines` of an artifact stand in it as a list. Errors name the dimension. */
export function compileArray(array: JobArray): Result<CompiledArray> {
  const said = written(array);
  if (said.length === 0) return fail('schema', 'name at least one dimension', 'array');
  if (said.length > mostDimensions) {
    return fail('schema', `${said.length} dimensions; at most ${mostDimensions} can be combined`, 'array');
  }
  const dimensions: Dimension[] = [];
  let n = 1;
  for (const [name, value] of said) {
    const at = name === anonymous && said.length === 1 ? 'array' : `array.${name}`;
    const compiled = dimension(value);
    if (!compiled.ok) return fail(compiled.error.code, compiled.error.message, at);
    if (compiled.value.n === 0) return fail('schema', 'there are no values', at);
    // Both factors are checked, so that the product is exact where it is looked at.
    if (compiled.value.n > jobLimits.tasks || n * compiled.value.n > jobLimits.tasks) {
      const counts = said.length === 1 ? `${compiled.value.n} tasks` : 'all combinations are more tasks';
      return fail('too-large', `${counts}; a job has ${jobLimits.tasks} at most: make several jobs of it`, at);
    }
    n *= compiled.value.n;
    dimensions.push(compiled.value);
  }
  const names = said.map(([name]) => name);
  return ok({
    n,
    names,
    at(index) {
      if (!Number.isInteger(index) || index < 0 || index >= n) throw new RangeError(`no task ${index} of ${n}`);
      const values: Record<string, string> = {};
      let rest = index;
      for (let d = dimensions.length - 1; d >= 0; d--) {
        const { n: count, at } = dimensions[d] as Dimension;
        values[names[d] as string] = at(rest % count);
        rest = Math.floor(rest / count);
      }
      return values;
    },
  });
}
