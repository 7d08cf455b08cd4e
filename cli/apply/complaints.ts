/** What a schema has against a cluster file, as sentences that begin with file, line and column. Pure. */
import type { z } from 'zod';
import { checkPatchKeys } from '../../broker/desired/keys.ts';
import { printable } from '../../shared/names.ts';
import type { Path, Source } from './source.ts';

type Issue = z.core.$ZodIssue;

/** @param path where in the file the checked value stands. */
export function complaintsOf(schema: z.ZodType, value: unknown, source: Source, path: Path = []): readonly string[] {
  const parsed = schema.safeParse(value);
  if (parsed.success) return [];
  return parsed.error.issues.flatMap(one => {
    const { issue, at } = meant(value, one, one.path);
    const place = [...path, ...at];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map(
        key => `${source.at([...place, key], 'key')}: ${where(place)}${unknownKey(schema, at, key)}`,
      );
    }
    const isName = one.code === 'invalid_key';
    const said = isName ? `this name is ${issue.message}` : reason(schema, value, one.path, at, issue);
    return [`${source.at(place, isName ? 'key' : 'value')}: ${where(place)}${printable(said, 300)}`];
  });
}

const where = (path: Path): string => (path.length === 0 ? '' : `${printable(path.map(String).join('.'), 160)}: `);

/** A union fails once per branch; only the branch of the value's own kind says what a person wants to know. */
function meant(value: unknown, issue: Issue, at: Path): { readonly issue: Issue; readonly at: Path } {
  if (issue.code === 'invalid_key') {
    const inner = issue.issues[0];
    return { issue: inner ?? issue, at };
  }
  if (issue.code !== 'invalid_union') return { issue, at };
  const isObject = typeof valueAt(value, at) === 'object';
  const branches = issue.errors.filter(branch => !branch.some(one => isOfAnotherKind(one, isObject)));
  const inner = branches.length === 1 ? branches[0]?.[0] : undefined;
  return inner ? meant(value, inner, [...at, ...inner.path]) : { issue, at };
}

/** A list of words is no branch for an object. */
const isOfAnotherKind = (issue: Issue, isObject: boolean): boolean =>
  issue.path.length === 0 &&
  (issue.code === 'invalid_type' ||
    (issue.code === 'invalid_value' && isObject) ||
    (issue.code === 'invalid_union' &&
      issue.errors.every(branch => branch.some(one => isOfAnotherKind(one, isObject)))));

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((here, key) => (here as Record<PropertyKey, unknown> | undefined)?.[key], value);

/** With the nearest key that there is, or all of them. */
function unknownKey(schema: z.ZodType, at: Path, key: string): string {
  const nested = [...at].reverse().reduce<unknown>((inner, level) => ({ [level]: inner }), { [key]: 0 });
  const told = checkPatchKeys(schema, nested);
  return told.ok ? `unknown key "${printable(key)}"` : told.error.message;
}

function reason(schema: z.ZodType, value: unknown, path: Path, at: Path, issue: Issue): string {
  const found = valueAt(value, at);
  if (found === null) return 'there is nothing after it: give it a value, or leave it out';
  if (found === undefined && issue.code === 'invalid_type') return 'is missing';
  const message = issue.message.replace(/^Invalid input: /, '');
  if (typeof found !== 'number' && typeof found !== 'boolean') return message;
  const still = schema.safeParse(replaced(value, at, String(found)));
  const cured = still.success || !still.error.issues.some(one => samePath(one.path, path));
  return cured ? `YAML reads this as a ${typeof found}: put it in quotes` : message;
}

const samePath = (a: Path, b: Path): boolean => a.length === b.length && a.every((key, index) => key === b[index]);

function replaced(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by;
  if (Array.isArray(value)) return value.map((one, index) => (index === Number(key) ? replaced(one, rest, by) : one));
  const object = (value ?? {}) as Record<PropertyKey, unknown>;
  return { ...object, [key]: replaced(object[key], rest, by) };
}
