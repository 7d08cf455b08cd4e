/** JSON Merge Patch, RFC 7396 section 2: objects merge, `null` deletes, everything else replaces. Inputs stay untouched. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export const isObject = (value: unknown): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const out: { [key: string]: Json } = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else out[key] = mergePatch(Object.hasOwn(out, key) ? out[key] : undefined, value);
  }
  return out;
}

/** The target with the value at `path` replaced whole; `undefined` removes it, and parents left empty stay. */
export function replaceAt(
  target: Json | undefined,
  path: readonly string[],
  value: Json | undefined,
): Json | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const out: { [key: string]: Json } = isObject(target) ? { ...target } : {};
  const next = replaceAt(Object.hasOwn(out, key) ? out[key] : undefined, rest, value);
  if (next === undefined) delete out[key];
  else out[key] = next;
  return out;
}
