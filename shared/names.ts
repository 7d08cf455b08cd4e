import { fail, ok, type Result } from './errors.ts';

const id = /^[a-z0-9-]{1,20}$/;
const jobId = /^[a-z0-9-]{1,64}$/;
const item = /^[A-Za-z0-9._@:~-]{1,64}$/;

/** An id of a node, role, service or room: 1 to 20 of `a-z 0-9 -`; `all` is reserved. */
export const isId = (text: string): boolean => id.test(text) && text !== 'all';

/** A job's id: as {@link isId}, to 64 characters. */
export const isJobId = (text: string): boolean => jobId.test(text) && text !== 'all';

/** A package, variable or item name that may stand as a topic level. Never a key that JavaScript objects inherit. */
export const isItemName = (text: string): boolean => item.test(text) && text !== '__proto__';

/**
 * Turns a host name into a node id: lower case, other characters to `-`, cut at 20.
 * @returns an id, `node` where nothing usable is left.
 */
export function idFromHostname(hostname: string): string {
  const short = hostname.split('.')[0] ?? '';
  const cleaned = short
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .slice(0, 20)
    .replace(/^-+|-+$/g, '');
  return isId(cleaned) ? cleaned : 'node';
}

/** Checks an id a person typed and says what is wrong with it. */
export function checkId(text: string, what: string): Result<string> {
  if (isId(text)) return ok(text);
  if (text === 'all') return fail('id', `"all" is not a ${what} id`);
  return fail('id', `"${printable(text)}" is not a ${what} id: use 1 to 20 of a-z, 0-9 and "-"`);
}

/** Controls of terminals and lines, and what turns the direction of text (Unicode, UAX 9): none of it is seen. */
const unseen: readonly (readonly [from: number, to: number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0x061c, 0x061c],
  [0x200e, 0x200f],
  [0x2028, 0x202e],
  [0x2066, 0x2069],
  [0xfeff, 0xfeff],
  [0xfffd, 0xfffd],
];

/** Text made safe to echo: what is not seen is escaped, cut at `max` characters. Hostile input goes through here. */
export function printable(text: string, max = 64): string {
  let out = '';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    const isPlain = code >= 0x20 && code < 0x7f;
    out +=
      !isPlain && unseen.some(([from, to]) => code >= from && code <= to)
        ? `\\u${code.toString(16).padStart(4, '0')}`
        : char;
    if (out.length >= max) return `${out.slice(0, max - 1)}…`;
  }
  return out;
}

/** The candidate nearest to `typed` by edit distance, where it is near enough to be a typing error. */
export function nearest(typed: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(typed.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(typed, candidate, bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein distance, given up at `limit` (Wagner and Fischer 1974, one row kept). */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      next[j] = Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + cost);
    }
    row = next;
  }
  return row[b.length] ?? limit;
}
