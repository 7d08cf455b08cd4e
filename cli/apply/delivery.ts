/** The sets of an `apply` as a whole: what was refused because somebody was quicker, what was taken, and what was not sent. */
import { printable } from '../../shared/names.ts';
import { sameJson } from '../../shared/same-json.ts';
import { entriesOf, type NounPath } from './document.ts';
import type { Accepted, Documents, NounPlan } from './plan.ts';
import type { Outcome, Sending, Sets } from './sending.ts';

/**
 * Sends what changes something. A document that was not there is sent with the highest revision that is known, so that one
 * that came into being meanwhile is not written over; a role that was forgotten may have had a higher one, and is sent again.
 *
 * @param documents those that the plans were made for.
 * @param told runs once for every plan that has a patch.
 * @param read the documents as they are by then.
 */
export async function sendAll(
  sets: Pick<Sets, 'send'>,
  plans: readonly NounPlan[],
  documents: Documents,
  told: (outcome: Outcome) => void,
  read: () => Promise<Documents>,
): Promise<void> {
  const newest = Math.max(0, ...[...documents.values()].map(({ rev }) => rev));
  let open: readonly Sending[] = plans.flatMap(({ path, patch, rev }) =>
    patch ? [{ path, patch, rev: rev ?? newest }] : [],
  );
  while (open.length > 0) {
    const outcomes = await sets.send(open, outcome => {
      if (outcome.state === 'accepted') told(outcome);
    });
    const stale = outcomes.filter(isStale);
    const now = stale.length === 0 ? undefined : await read();
    const isNone = ({ path }: Outcome) => !documents.has(path) && now?.has(path) === false;
    // Sent without a revision it is not refused for one again.
    const again = new Set(stale.filter(isNone).map(({ path }) => path));
    const failed = outcomes.filter(one => (one.state === 'refused' || one.state === 'unknown') && !again.has(one.path));
    const left = open.filter(
      (_, index) => outcomes[index]?.state === 'unsent' || again.has(outcomes[index]?.path ?? 'role/'),
    );
    if (failed.length > 0) {
      for (const one of failed) {
        told(now && isStale(one) ? inBetween(one, documents.get(one.path), now.get(one.path)) : one);
      }
      for (const { path } of left) told({ path, state: 'unsent' });
      return;
    }
    open = left.map(one => (again.has(one.path) ? { ...one, rev: undefined } : one));
  }
}

const isStale = ({ state, error }: Outcome): boolean => state === 'refused' && /^rev \d+ is stale/.test(error ?? '');

/** Who changed it meanwhile is not known; what is. */
function inBetween(outcome: Outcome, before: Accepted | undefined, now: Accepted | undefined): Outcome {
  const [old, next] = [entriesOf(before?.document ?? {}), entriesOf(now?.document ?? {})];
  const names = [...new Set([...old.keys(), ...next.keys()])].filter(
    entry => !sameJson(old.get(entry), next.get(entry)),
  );
  const shown = names.slice(0, 5).map(name => printable(name, 80));
  if (names.length > 5) shown.push('…');
  const what = shown.length === 0 ? '' : `: ${shown.join(', ')}`;
  const error = `somebody else changed it in between (revision ${before?.rev ?? 0} became ${now?.rev ?? 0}${what}): look at it, and apply again`;
  return { ...outcome, error };
}

/** Exactly what was taken and what was not. */
export function failureText(plans: readonly NounPlan[], outcomes: ReadonlyMap<NounPath, Outcome>): string {
  const all = plans.flatMap(({ path }) => outcomes.get(path) ?? []);
  const of = (state: Outcome['state']) => all.filter(one => one.state === state).map(({ path }) => path);
  const [accepted, unsent] = [of('accepted'), of('unsent')];
  const lines = all.flatMap(({ path, state, error }) => {
    if (state === 'refused') return [`${path}: refused: ${printable(error ?? '', 600)}`];
    return state === 'unknown' ? [`${path}: it is not known whether it was taken: ${printable(error ?? '', 200)}`] : [];
  });
  const taken = accepted.length === 0 ? 'Nothing was accepted.' : `Accepted, and staying so: ${accepted.join(', ')}.`;
  const rest = unsent.length === 0 ? '' : `\n  Not sent: ${unsent.join(', ')}.`;
  return `Not all of it was taken.\n  ${lines.join('\n  ')}\n  ${taken}${rest}`;
}
