/** Which times a schedule may name: the five fields of crontab(5), and its short words. Checked here, computed elsewhere. */

export const cronWords = ['@hourly', '@daily', '@midnight', '@weekly', '@monthly', '@yearly', '@annually'] as const;

const months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const days = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

interface Field {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Names for the numbers from `from` on. */
  readonly names?: readonly string[];
}
const fields: readonly Field[] = [
  { name: 'minute', from: 0, to: 59 },
  { name: 'hour', from: 0, to: 23 },
  { name: 'day of the month', from: 1, to: 31 },
  { name: 'month', from: 1, to: 12, names: months },
  { name: 'day of the week', from: 0, to: 7, names: days },
];

function numberIn(field: Field, text: string): number | undefined {
  const index = field.names?.indexOf(text.toUpperCase()) ?? -1;
  const value = index >= 0 ? index + field.from : /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return value >= field.from && value <= field.to ? value : undefined;
}

function isPart(field: Field, part: string): boolean {
  const [range = '', every, ...rest] = part.split('/');
  if (rest.length > 0) return false;
  if (every !== undefined && !(/^\d{1,2}$/.test(every) && Number(every) >= 1 && Number(every) <= field.to))
    return false;
  if (range === '*') return true;
  const [first = '', last, ...more] = range.split('-');
  if (more.length > 0) return false;
  const from = numberIn(field, first);
  if (last === undefined) return from !== undefined && every === undefined;
  const to = numberIn(field, last);
  return from !== undefined && to !== undefined && from <= to;
}

/** What is wrong with a schedule's times, one sentence; undefined where nothing is. */
export function cronProblem(text: string): string | undefined {
  if (text.startsWith('@')) {
    return (cronWords as readonly string[]).includes(text)
      ? undefined
      : `not a word for times: use one of ${cronWords.join(', ')}`;
  }
  const parts = text.trim().split(/[ \t]+/);
  if (parts.length !== fields.length) {
    return 'a schedule has five fields: minute, hour, day of the month, month, day of the week, such as "30 3 * * *"';
  }
  for (const [index, field] of fields.entries()) {
    if ((parts[index] ?? '').split(',').every(part => isPart(field, part))) continue;
    const { name, from, to, names } = field;
    return `the ${name} must be *, numbers from ${from} to ${to}${names ? ` or names such as ${names[1]}` : ''}, ranges (1-5), lists (1,5) or steps (*/5)`;
  }
  return undefined;
}
