/** The verbs of `do/<verb>` on a job, and how their arguments are read. */
import { z } from 'zod';
import { check, decodeText, parseJson } from '../../shared/codec.ts';
import { fail, ok, type Result } from '../../shared/errors.ts';
import { nearest, printable } from '../../shared/names.ts';
import { readTx } from '../desired/desired.ts';

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const nothing = z.strictObject({});
const batches = z
  .strictObject({ from: count, to: count })
  .refine(({ from, to }) => to >= from, '"to" is one past the last, so not below "from"');

const verbs = {
  cancel: nothing,
  retry: nothing,
  pause: nothing,
  resume: nothing,
  forget: nothing,
  explain: nothing,
  out: batches,
} as const;

export type JobOrder =
  | { readonly verb: Exclude<keyof typeof verbs, 'out'> }
  | { readonly verb: 'out'; readonly from: number; readonly to: number };

/** Reads verb and payload: empty, `PRESS` (what Home Assistant's buttons send), or a JSON object. */
export function readJobOrder(
  word: string,
  payload: Uint8Array,
): { readonly tx?: string; readonly order: Result<JobOrder> } {
  if (!Object.hasOwn(verbs, word)) {
    const known = Object.keys(verbs);
    const near = nearest(word, known);
    const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean "${near}"?`;
    return { order: fail('unknown-verb', `"${printable(word)}" is no verb of a job: ${hint}`) };
  }
  const verb = word as JobOrder['verb'];
  const text = decodeText(payload);
  if (!text.ok) return { order: text };
  const trimmed = text.value.trim();
  if (!trimmed.startsWith('{') && trimmed !== '' && trimmed !== 'PRESS') {
    return { order: fail('schema', `"${verb}" takes an empty payload, or a JSON object`) };
  }
  const json = trimmed.startsWith('{') ? parseJson(trimmed) : ok({});
  if (!json.ok) return { order: json };
  const { tx, ...args } = json.value as Record<string, unknown>;
  const mark = readTx(tx);
  if (!mark.ok) return { order: mark };
  const marked = mark.value === undefined ? {} : { tx: mark.value };
  if (verb !== 'out') {
    const empty = check(nothing, args);
    return { ...marked, order: empty.ok ? ok({ verb }) : empty };
  }
  const range = check(batches, args);
  return { ...marked, order: range.ok ? ok({ verb, ...range.value }) : range };
}
