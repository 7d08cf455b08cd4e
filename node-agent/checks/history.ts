/** What is remembered of one check: its state, since when, and how often it changed lately. Pure. */
import { printable } from '../../shared/names.ts';
import type { Check, CheckSeverity } from '../../shared/schemas/check.ts';
import { checkDefaults } from '../../shared/schemas/check.ts';
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import type { Finding } from './finding.ts';

/** So many changes of state within an hour, and a check flaps. */
const flapChanges = 4;
const flapWindowMs = 3_600_000;
/** A check that flaps is noticed at most so often. */
const flapNoticeMs = 600_000;
const rememberedChanges = 20;

export interface History {
  readonly state: Finding['state'];
  readonly saw: string;
  /** Epoch milliseconds of the last change of state. */
  readonly since: number;
  /** False until the first look has led to something. */
  readonly seen: boolean;
  /** Monotonic milliseconds of changes within the last hour, the newest last, bounded. */
  readonly changes: readonly number[];
  /** Monotonic milliseconds of the last notice. */
  readonly noticedAt: number;
}

export const neverSeen = (wall: number): History => ({
  state: 'unknown',
  saw: 'not looked at yet',
  since: wall,
  seen: false,
  changes: [],
  noticedAt: Number.NEGATIVE_INFINITY,
});

export interface Judged {
  readonly history: History;
  /** `state`: worth telling at once; `words`: only what it saw. */
  readonly changed?: 'state' | 'words';
  readonly notice?: { readonly level: 'info' | 'warn' | 'error'; readonly kind: string; readonly text: string };
}

const levels: Readonly<Record<CheckSeverity, 'info' | 'warn' | 'error'>> = {
  info: 'info',
  warning: 'warn',
  critical: 'error',
};

/** Takes one finding in. @param name for the notice: `disk`. */
export function judged(
  before: History,
  name: string,
  { severity = checkDefaults.severity }: Check,
  { state, saw }: Finding,
  at: { readonly now: number; readonly wall: number },
): Judged {
  const recent = before.changes.filter(time => at.now - time < flapWindowMs);
  if (before.seen && state === before.state) {
    const history = { ...before, saw, changes: recent };
    const same = saw === before.saw && flaps(recent) === flaps(before.changes);
    return { history, ...(same ? {} : { changed: 'words' as const }) };
  }
  // The first look ends the ignorance at the start, which is no change worth counting.
  const changes = before.seen ? [...recent, at.now].slice(-rememberedChanges) : recent;
  const since = state === before.state ? before.since : at.wall;
  const history: History = { ...before, state, saw, since, seen: true, changes };
  const worth = state === 'fail' || before.seen;
  const quiet = flaps(changes) && at.now - before.noticedAt < flapNoticeMs;
  if (!worth || quiet) return { history, changed: 'state' };
  const flapping = flaps(changes) ? ` (it changed ${changes.length} times within the last hour)` : '';
  const verb = { pass: 'is well again', fail: 'fails', unknown: 'cannot be told' }[state];
  return {
    history: { ...history, noticedAt: at.now },
    changed: 'state',
    notice: {
      level: state === 'fail' ? levels[severity] : state === 'unknown' ? 'warn' : 'info',
      kind: `check-${state}`,
      text: `checks/${name} ${verb}: ${saw}${flapping}`,
    },
  };
}

const flaps = (changes: readonly number[]): boolean => changes.length >= flapChanges;

export function statusOf({ state, saw, since, changes }: History, check: Check, severity: CheckSeverity): ItemStatus {
  const parts = [
    printable(saw, 140),
    ...(flaps(changes) ? [`it changed ${changes.length} times within an hour`] : []),
    ...(check.runbook === undefined ? [] : [`what to do: ${check.runbook}`]),
  ];
  return {
    state,
    severity,
    saw,
    since_ms: since,
    ...(state === 'fail' ? { err: printable(parts.join('; '), 300) } : {}),
  };
}
