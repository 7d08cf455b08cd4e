/**
 * How a bare payload is read. The key's schema decides, never the payload's look: a string key takes `1.10`, `007` and
 * `true` as text, a number key parses them, and a key that takes an object reads JSON when the payload starts with `{`.
 */
import { decodeText, parseJson } from './codec.ts';
import { fail, ok, type Result } from './errors.ts';
import { printable } from './names.ts';

/** What a key takes: one kind, or text that may also be an object (a service: a command line or a description). */
export type ValueKind = 'string' | 'number' | 'boolean' | 'object' | 'string-or-object' | 'array' | 'string-or-array';

const truths: Readonly<Record<string, boolean>> = {
  on: true,
  true: true,
  '1': true,
  off: false,
  false: false,
  '0': false,
};

/** Decimal numbers as JSON writes them, surrounding blanks allowed; no hex, no `Infinity`, no empty text. */
const decimal = /^\s*-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?\s*$/;

/** Reads the payload of `set/<key>` for a key of the given kind. One final newline is dropped from text. */
export function readValue(kind: ValueKind, payload: Uint8Array, maxBytes?: number): Result<unknown> {
  const decoded = decodeText(payload, maxBytes);
  if (!decoded.ok) return decoded;
  const text = decoded.value.endsWith('\n') ? decoded.value.slice(0, -1) : decoded.value;
  switch (kind) {
    case 'string':
      return ok(text);
    case 'number': {
      const value = decimal.test(text) ? Number(text) : Number.NaN;
      return Number.isFinite(value) ? ok(value) : fail('schema', `"${printable(text)}" is not a number`);
    }
    case 'boolean': {
      const key = text.trim().toLowerCase();
      return Object.hasOwn(truths, key)
        ? ok(truths[key])
        : fail('schema', `"${printable(text)}" is neither on nor off: use on, off, true, false, 1 or 0`);
    }
    case 'object':
    case 'array':
      return parseJson(text);
    case 'string-or-object':
      return text.trimStart().startsWith('{') ? parseJson(text) : ok(text);
    case 'string-or-array':
      return text.trimStart().startsWith('[') ? parseJson(text) : ok(text);
  }
}
