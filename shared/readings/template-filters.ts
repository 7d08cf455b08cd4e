/** Filters of templates, as Jinja and Home Assistant know them, as far as they lead to a number. Pure; none throws. */
import { numberIn } from './number.ts';

/** Texts that `replace` and `trim` work on. */
const mostText = 1000;

export type Filter = (input: unknown, args: readonly unknown[]) => unknown;

/** A number, or a text that is one. */
export const numeric = (input: unknown): number | undefined =>
  typeof input === 'number' ? input : typeof input === 'string' ? numberIn(input) : undefined;

const withNumbers =
  (work: (a: number, b: number) => number): Filter =>
  (input, [arg]) => {
    const [a, b] = [numeric(input), numeric(arg)];
    return a === undefined || b === undefined ? undefined : work(a, b);
  };

function rounded(input: unknown, [digits = 0, way = 'common']: readonly unknown[]): unknown {
  const value = numeric(input);
  if (value === undefined || typeof digits !== 'number' || !Number.isInteger(digits)) return undefined;
  if (digits < -9 || digits > 12) return undefined;
  const scale = 10 ** digits;
  const round = way === 'ceil' ? Math.ceil : way === 'floor' ? Math.floor : Math.round;
  return round(value * scale) / scale;
}

/** Filters by name, with the most arguments each takes. `float` and `int` give their argument where there is no number. */
export const filters: ReadonlyMap<string, { readonly most: number; readonly least?: number; readonly run: Filter }> =
  new Map([
    ['float', { most: 1, run: (input: unknown, [other]: readonly unknown[]) => numeric(input) ?? other }],
    [
      'int',
      {
        most: 1,
        run: (input: unknown, [other]: readonly unknown[]) => {
          const value = numeric(input);
          return value === undefined ? other : Math.trunc(value);
        },
      },
    ],
    ['round', { most: 2, run: rounded }],
    [
      'abs',
      {
        most: 0,
        run: (input: unknown) => {
          const value = numeric(input);
          return value === undefined ? undefined : Math.abs(value);
        },
      },
    ],
    ['default', { most: 2, run: orElse }],
    ['d', { most: 2, run: orElse }],
    ['add', { most: 1, least: 1, run: withNumbers((a, b) => a + b) }],
    ['multiply', { most: 1, least: 1, run: withNumbers((a, b) => a * b) }],
    ['replace', { most: 2, least: 2, run: replaced }],
    [
      'trim',
      { most: 0, run: (input: unknown) => (typeof input === 'string' ? input.slice(0, mostText).trim() : input) },
    ],
  ]);

/** Jinja's `default`: null is a value there; with `true` as the second argument everything empty counts as missing. */
function orElse(input: unknown, [other, empty]: readonly unknown[]): unknown {
  return input === undefined || (empty === true && !input) ? other : input;
}

function replaced(input: unknown, [from, to]: readonly unknown[]): unknown {
  if (typeof input !== 'string' || typeof from !== 'string' || typeof to !== 'string') return undefined;
  return input.length > mostText || from === '' ? undefined : input.replaceAll(from, () => to).slice(0, mostText);
}
