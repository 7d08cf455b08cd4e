/** Bytes to values and back, with size and depth bounded before anything is parsed. Never throws. */
import type { z } from 'zod';
import { fail, ok, type Result } from './errors.ts';
import { limits } from './limits.ts';
import { printable } from './names.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes UTF-8 strictly: broken sequences are an error, not replacement characters. */
export function decodeText(payload: Uint8Array, maxBytes: number = limits.message): Result<string> {
  if (payload.length > maxBytes) {
    return fail('too-large', `${payload.length} bytes, but at most ${maxBytes} are allowed here`);
  }
  try {
    return ok(utf8.decode(payload));
  } catch {
    return fail('not-utf8', 'the payload is not UTF-8 text');
  }
}

/** Whether a text holds more than `limit` opening brackets at all. Searching is the engine's own loop, and quick. */
function manyBrackets(text: string, limit: number): boolean {
  let count = 0;
  for (const bracket of '{[') {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) if (++count > limit) return true;
  }
  return false;
}

/** Whether a bracket in a JSON text is deeper than `limit`, strings skipped. */
function tooDeep(text: string, limit: number): boolean {
  if (!manyBrackets(text, limit)) return false;
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (inString) {
      if (code === 0x5c) index++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > limit) return true;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return false;
}

/** Parses JSON text; nesting over `maxDepth` and the key `__proto__` are refused. */
export function parseJson(text: string, maxDepth: number = limits.depth): Result<unknown> {
  if (tooDeep(text, maxDepth)) return fail('too-deep', `nested deeper than ${maxDepth} levels`);
  try {
    const value: unknown = JSON.parse(text);
    // Only a text that has the word, or has it escaped, can have the key.
    if ((text.includes('__proto__') || text.includes('\\u')) && hasProtoKey(value))
      return fail('schema', 'the key "__proto__" is not allowed');
    return ok(value);
  } catch (error) {
    return fail('not-json', `not valid JSON: ${printable((error as Error).message, 120)}`);
  }
}

/** JSON.parse makes `__proto__` an own key; merging such a value later would reach the prototype. */
function hasProtoKey(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Object.hasOwn(value, '__proto__')) return true;
  return Object.values(value).some(hasProtoKey);
}

export interface DecodeOptions {
  readonly maxBytes?: number;
  readonly maxDepth?: number;
}

/** Payload bytes to a checked value: UTF-8, size, depth, JSON, schema. */
export function decode<S extends z.ZodType>(
  schema: S,
  payload: Uint8Array,
  options: DecodeOptions = {},
): Result<z.output<S>> {
  const text = decodeText(payload, options.maxBytes);
  if (!text.ok) return text;
  const json = parseJson(text.value, options.maxDepth);
  if (!json.ok) return json;
  return check(schema, json.value);
}

/** A parsed value against a schema; the first issue becomes one sentence with its key path. */
export function check<S extends z.ZodType>(schema: S, value: unknown): Result<z.output<S>> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const first = parsed.error.issues[0];
  if (!first) return fail('schema', 'does not fit the schema');
  const { issue, path } = meant(first, first.path);
  const at = printable(path.map(String).join('.'), 120);
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map(key => `"${printable(key)}"`).join(', ');
    return fail('unknown-key', `unknown key ${keys}`, at);
  }
  return fail('schema', printable(issue.message, 200), at);
}

type Issue = z.core.$ZodIssue;

/** A union fails once per branch; only the branch of the value's own kind says what a person wants to know. */
function meant(issue: Issue, path: readonly PropertyKey[]): { issue: Issue; path: readonly PropertyKey[] } {
  if (issue.code === 'invalid_key') {
    const inner = issue.issues[0];
    return inner ? { issue: inner, path } : { issue, path };
  }
  if (issue.code !== 'invalid_union') return { issue, path };
  const branches = issue.errors.filter(branch => !branch.some(isOfAnotherKind));
  const inner = branches.length === 1 ? branches[0]?.[0] : undefined;
  return inner ? meant(inner, [...path, ...inner.path]) : { issue, path };
}

const isOfAnotherKind = (issue: Issue): boolean =>
  issue.path.length === 0 &&
  (issue.code === 'invalid_type' ||
    (issue.code === 'invalid_union' && issue.errors.every(branch => branch.some(isOfAnotherKind))));
