/** Numbers, times, sizes and pairs, as they are typed after options. */
import { printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';

export function whole(text: string | undefined, option: string, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^-?\d{1,15}$/.test(text) && value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
  throw new UserError(`${option}: "${printable(text)}" is not a whole number ${range}.`, 2);
}

export const atLeast = (text: string | undefined, option: string, least: number): number | undefined =>
  whole(text, option, least, Number.MAX_SAFE_INTEGER);

const timeUnits: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };

/** `90`, `90s`, `5m`, `1.5h`, `2d`. */
export function seconds(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const [, number, unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)([smhd]?)$/.exec(text) ?? [];
  const value = Number(number) * (timeUnits[unit] ?? Number.NaN);
  if (value > 0) return value;
  throw new UserError(`${option}: "${printable(text)}" is no time: write seconds, or 5m, 1.5h, 2d.`, 2);
}

const sizeUnits: Readonly<Record<string, number>> = { '': 1, M: 1, G: 1024, T: 1024 * 1024 };

/** `512`, `512M`, `2G`. */
export function megabytes(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const [, number, unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)([MGT]?)B?$/i.exec(text) ?? [];
  const value = Math.ceil(Number(number) * (sizeUnits[unit.toUpperCase()] ?? Number.NaN));
  if (value > 0) return value;
  throw new UserError(`${option}: "${printable(text)}" is no size: write megabytes, or 512M, 2G.`, 2);
}

/** `name=VALUE` each. */
export function pairs(said: readonly string[] | undefined, option: string): readonly (readonly [string, string])[] {
  return (said ?? []).map(text => {
    const [, name, value] = /^([a-z][a-z0-9_]{0,31})=(.+)$/s.exec(text) ?? [];
    if (name !== undefined && value !== undefined) return [name, value] as const;
    throw new UserError(
      `${option}: "${printable(text)}" is not NAME=PATH; a name begins with a-z, and has a-z, 0-9 and "_".`,
      2,
    );
  });
}
