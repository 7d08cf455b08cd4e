/**
 * Two supervisors on one base of an outside broker. Only one may write, and who starts last must give way; pure.
 *
 * A supervisor is `probing` while it has written nothing but its `hello` and listens (1.5 s), `returning` for 3 s after
 * it came back to a broker it had lost, else `settled`. Who hears another's `hello` compares: the firmer standing wins;
 * of two equals the lower `boot`; two that are settled both stay, since a bridge that joins their networks, or anybody
 * who may publish here, could otherwise end a cluster's supervisor. The winner answers with its own `hello`, so that the
 * loser is sure to hear it.
 */
import type { Hello } from '../shared/schemas/presence.ts';

export const rivalTimes = { probeMs: 1500, returnMs: 3000, answers: { perSecond: 20, burst: 20 } } as const;

export type Standing = NonNullable<Hello['standing']>;
export type Verdict = 'nobody' | 'stay' | 'give-way' | 'both-stay';

const firmness: Readonly<Record<Standing, number>> = { probing: 0, returning: 1, settled: 2 };

export function judgeRival(
  own: { boot: string; standing: Standing },
  heard: Pick<Hello, 'boot' | 'standing'>,
): Verdict {
  if (heard.boot === own.boot) return 'nobody';
  const mine = firmness[own.standing];
  const theirs = firmness[heard.standing ?? 'settled'];
  if (mine !== theirs) return mine > theirs ? 'stay' : 'give-way';
  if (own.standing === 'settled') return 'both-stay';
  return own.boot < heard.boot ? 'stay' : 'give-way';
}
