/**
 * What each key of a document takes, read off its zod schema: the one place that knows. A key path is looked up, a patch
 * is checked for keys that are not there (a merge would hide a misspelt `null`), and a payload is read by the answer.
 */
import type { z } from 'zod';
import { check } from '../../shared/codec.ts';
import { fail, ok, type Result } from '../../shared/errors.ts';
import { nearest, printable } from '../../shared/names.ts';
import type { ValueKind } from '../../shared/values.ts';

/** The parts of zod's definitions (zod 4 `_zod.def`) that the walk needs. */
interface Definition {
  readonly type: string;
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly keyType?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
}
const definitionOf = (schema: z.core.$ZodType): Definition => schema._zod.def as unknown as Definition;

/** A schema's alternatives with optional, default and transform taken off. */
function alternatives(schema: z.core.$ZodType): z.core.$ZodType[] {
  const { type, innerType, options, in: input } = definitionOf(schema);
  if (innerType) return alternatives(innerType);
  if (type === 'pipe' && input) return alternatives(input);
  if (type === 'union' && options) return options.flatMap(alternatives);
  return [schema];
}

/** The schema of `key` in an object or record, an error for a key that cannot be there, undefined in anything else. */
function child(schema: z.core.$ZodType, key: string): Result<z.core.$ZodType> | undefined {
  /** Of all objects that the schema allows. */
  const known = new Set<string>();
  for (const option of alternatives(schema)) {
    const { shape, keyType, valueType } = definitionOf(option);
    if (shape) {
      const found = Object.hasOwn(shape, key) ? shape[key] : undefined;
      if (found) return ok(found);
      for (const one of Object.keys(shape)) known.add(one);
      continue;
    }
    if (keyType && valueType) {
      const named = check(keyType as z.ZodType, key);
      return named.ok ? ok(valueType) : fail('unknown-key', `"${printable(key)}" is ${named.error.message}`);
    }
  }
  if (known.size === 0) return undefined;
  const near = nearest(key, known);
  const hint = near === undefined ? `known are ${[...known].join(', ')}` : `did you mean "${near}"?`;
  return fail('unknown-key', `unknown key "${printable(key)}": ${hint}`);
}

const kindNames: Readonly<Record<string, string>> = {
  enum: 'string',
  literal: 'string',
  record: 'object',
  int: 'number',
};

/** How a bare payload for this schema is read. */
function kindOf(schema: z.core.$ZodType): ValueKind {
  const kinds = new Set(
    alternatives(schema)
      .map(option => definitionOf(option).type)
      .map(type => kindNames[type] ?? type),
  );
  if (kinds.has('string'))
    return kinds.has('object') ? 'string-or-object' : kinds.has('array') ? 'string-or-array' : 'string';
  if (kinds.has('number')) return 'number';
  if (kinds.has('boolean')) return 'boolean';
  return kinds.has('array') ? 'array' : 'object';
}

/** How the payload of `set/<path…>` is read, or which level of the path is no key. */
export function kindAt(schema: z.core.$ZodType, path: readonly string[]): Result<ValueKind> {
  let here = schema;
  for (const [index, key] of path.entries()) {
    const at = path.slice(0, index).join('.');
    const next = child(here, key);
    if (next === undefined) return fail('unknown-key', `it has no keys, so not "${printable(key)}" either`, at);
    if (!next.ok) return fail(next.error.code, next.error.message, at);
    here = next.value;
  }
  return ok(kindOf(here));
}

/** Refuses a merge patch that names keys the document cannot have, the deleted ones too. */
export function checkPatchKeys(schema: z.core.$ZodType, patch: unknown, path: readonly string[] = []): Result<void> {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return ok(undefined);
  for (const [key, value] of Object.entries(patch)) {
    const next = child(schema, key);
    if (next && !next.ok) return fail(next.error.code, next.error.message, printable(path.join('.'), 120));
    const below = next ? checkPatchKeys(next.value, value, [...path, key]) : ok(undefined);
    if (!below.ok) return below;
  }
  return ok(undefined);
}
