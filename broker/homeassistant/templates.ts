/**
 * Templates for Home Assistant. Nothing that people or nodes name enters one: keys are ours, and everything else stays in
 * the payload that Home Assistant reads.
 *
 * A key that is not there renders `None`, which every platform takes for "unknown". It neither warns, as the text of
 * something undefined would, nor does an empty payload (a retained topic that was cleared) or one that is no JSON, since
 * `value_json` itself is looked at with `default`.
 */
const part = (key: string): string => `(value_json|default({})).${key}`;

/** The value of a key. */
export const readingOf = (key: string): string => `{{ ${part(key)}|default(None) }}`;

/** `ON` where the text of a key is not empty, else `OFF`. */
export const isSaid = (key: string): string => `{{ 'ON' if ${part(key)}|default('') != '' else 'OFF' }}`;

/** One of a few words by the value of a key; unknown for any other. */
export const wordOf = (key: string, words: Readonly<Record<string, string>>): string => {
  const table = Object.entries(words).map(([from, to]) => `'${from}':'${to}'`);
  return `{{ {${table.join(',')}}.get(${part(key)}|default('')|string,None) }}`;
};

/** A key as an attribute of an entity. */
export const attribute = (name: string, key: string): string => `{{ {'${name}':${part(key)}|default('')}|to_json }}`;
