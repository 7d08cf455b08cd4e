/** A number as things of the house send it: decimal, finite, and nothing round it but spaces. */
const decimal = /^[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:e[+-]?\d{1,3})?$/i;

/** Bytes of a payload that readings are looked for in. */
export const mostPayload = 64 * 1024;

/** Undefined where the text is none: empty, `nan`, `unavailable`, hexadecimal, with a unit. */
export function numberIn(text: string): number | undefined {
  if (text.length > 80) return undefined;
  const word = text.trim();
  if (!decimal.test(word)) return undefined;
  const value = Number(word);
  return Number.isFinite(value) ? value : undefined;
}
