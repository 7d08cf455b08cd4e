/** `do/pause`, `do/resume`, `do/abort` and `do/retry` of a role. */

import { z } from 'zod';
import { check, decodeText, parseJson } from '../../shared/codec.ts';
import { type ContractError, fail, ok, type Result } from '../../shared/errors.ts';
import type { RoleEntry } from '../desired/compile.ts';
import { readTx } from '../desired/desired.ts';
import { again, revertAll, type Step } from './core.ts';
import { isOpen, type Rollout } from './record.ts';

export const rolloutVerbs = ['pause', 'resume', 'abort', 'retry'] as const;
export type RolloutVerb = (typeof rolloutVerbs)[number];
export const isRolloutVerb = (word: string): word is RolloutVerb => (rolloutVerbs as readonly string[]).includes(word);

/** Empty, `PRESS`, or a JSON object with nothing but a `tx`. */
export function readMark(payload: Uint8Array): { readonly tx?: string; readonly problem?: ContractError } {
  const text = decodeText(payload);
  if (!text.ok) return { problem: text.error };
  const word = text.value.trim();
  if (word === '' || word === 'PRESS') return {};
  const json = word.startsWith('{') ? parseJson(word) : fail('schema', 'it takes no argument: send an empty payload');
  if (!json.ok) return { problem: json.error };
  const { tx, ...rest } = json.value as Record<string, unknown>;
  const mark = readTx(tx);
  if (!mark.ok) return { problem: mark.error };
  const none = check(z.strictObject({}), rest);
  return { ...(mark.value === undefined ? {} : { tx: mark.value }), ...(none.ok ? {} : { problem: none.error }) };
}

/** What a verb comes to: a step, or for `retry` of what was put back, the document to be set once more. */
export type Ordered = { readonly step: Step; readonly anew?: true } | { readonly document: RoleEntry['document'] };

/** @param by who asks, for the reason. */
export function order(verb: RolloutVerb, entry: RoleEntry, by: string | undefined): Result<Ordered> {
  const { document, rollout } = entry;
  if (!rollout)
    return fail('conflict', 'no change to this role was rolled out yet, or the last one reached all nodes at once');
  const changed = (next: Rollout): Result<Ordered> => ok({ step: { document, rollout: next, news: [] } });
  const { state } = rollout;
  switch (verb) {
    case 'pause':
      return state === 'rolling' ? changed({ ...rollout, state: 'paused' }) : no('is under way', state);
    case 'resume':
      return state === 'paused' ? changed({ ...rollout, state: 'rolling' }) : no('is paused', state, 'retry');
    case 'abort': {
      if (!isOpen(rollout)) return no('is under way', state);
      const { failed: _, ...rest } = rollout;
      const kept = state === 'stopped' ? rollout : rest;
      return ok({ step: revertAll({ document, rollout: kept }, `as ${by ?? 'somebody'} asked`) });
    }
    case 'retry': {
      if (state === 'reverted' && rollout.lost) {
        const { rollout: _, ...lost } = rollout.lost.document;
        const how = document.rollout === undefined ? {} : { rollout: document.rollout };
        return ok({ document: { ...lost, ...how } });
      }
      const next = again(rollout);
      if (next) return ok({ step: { document, rollout: next, news: [] }, anew: true });
      return fail('conflict', 'nothing failed in the last rollout, so there is nothing to try again');
    }
  }
}

function no(what: string, state: Rollout['state'], instead?: string): Result<never> {
  const hint = instead !== undefined && state === 'stopped' ? `: send do/${instead} to go on` : '';
  return fail('conflict', `no rollout of this role ${what}, the last one is ${state}${hint}`);
}
