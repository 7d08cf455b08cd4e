/**
 * When a service with a schedule runs, as a pure part of the core. In prose:
 *
 * Times are of the wall clock, which may be set or stand still (a machine that sleeps), so it is looked at once a minute
 * at least. A time that has come starts a run; one that comes while the run before goes on is skipped, and one that was
 * over by more than two minutes when it was noticed has been missed: made up for by one run with `catch_up`, else not.
 * A clock that is set back by less than three hours does not repeat a time (cron(8) does the same), one that was wrong by
 * more begins anew. Times missed while the agent was away count from the last run of the service on this node; one that
 * never ran here has missed one.
 */
import type { Schedule } from '../../../shared/schemas/service-life.ts';
import type { At, Draft, ServiceEffect } from './moves.ts';
import { settle } from './moves.ts';
import { cut } from './spec.ts';
import type { ServiceState } from './state.ts';

const lookEveryMs = 60_000;
const lateMs = 120_000;
const clockSetMs = 1_000;
const notRepeatedMs = 3 * 3_600_000;

const catchesUp = (schedule: Schedule): boolean => typeof schedule === 'object' && schedule.catch_up === true;

/** Runs after every event: asks for the next time where it is not known, and puts what is not to run now to rest. */
export function keepTime(state: Draft, at: At, effects: ServiceEffect[]): void {
  const schedule = state.target?.schedule;
  if (schedule === undefined) {
    delete state.timetable;
    delete state.called;
    if (state.phase === 'scheduled') state.phase = 'ready';
    return;
  }
  const of = JSON.stringify(schedule);
  if (state.timetable?.of !== of) {
    const isNew = state.timetable === undefined && catchesUp(schedule);
    state.timetable = { of, checkAt: Number.POSITIVE_INFINITY, offset: 0 };
    effects.push({
      do: 'next-run',
      schedule,
      after: at.wall,
      ...(isNew ? { missed: { since: state.lastRun } } : {}),
    });
  }
  if (state.phase === 'ended' || (state.phase === 'ready' && !state.called)) state.phase = 'scheduled';
  if (state.phase === 'scheduled' && state.timetable.next !== undefined) settle(state, effects);
}

function ask(state: Draft, schedule: Schedule, after: number, effects: ServiceEffect[]): void {
  const { next: _next, ...timetable } = state.timetable ?? { of: JSON.stringify(schedule), offset: 0 };
  state.timetable = { ...timetable, checkAt: Number.POSITIVE_INFINITY };
  effects.push({ do: 'next-run', schedule, after });
}

/** The answer to `next-run`. */
export function onNextRun(
  state: Draft,
  event: { schedule: Schedule; next?: number; missed: boolean; error?: string },
  at: At,
  effects: ServiceEffect[],
): void {
  const { timetable } = state;
  if (!timetable || timetable.of !== JSON.stringify(event.schedule)) return;
  const { next } = event;
  if (next === undefined) {
    state.err = cut(event.error ?? 'its schedule names no time that is yet to come');
    if (state.phase === 'scheduled') settle(state, effects, state.err);
    return;
  }
  state.timetable = { ...timetable, next, offset: at.wall - at.now, checkAt: checkAt(next, at) };
  if (event.missed) call(state, undefined, effects);
}

/** At least a millisecond on: the two clocks need not agree to the last digit. */
const checkAt = (next: number, at: At): number => at.now + Math.min(lookEveryMs, Math.max(1, next - at.wall));

/** The time to look has come. */
export function onTime(state: Draft, at: At, effects: ServiceEffect[]): void {
  const { timetable } = state;
  const schedule = state.target?.schedule;
  if (!timetable || schedule === undefined || timetable.next === undefined || at.now < timetable.checkAt) return;
  const { next, lastDue } = timetable;
  if (at.wall >= next) {
    const { next: _next, ...rest } = timetable;
    state.timetable = { ...rest, lastDue: next };
    if (at.wall - next <= lateMs || catchesUp(schedule)) call(state, next, effects);
    else
      say(state, 'missed', `its run of ${timeText(next)} was missed: the machine slept, or its clock was set`, effects);
    ask(state, schedule, at.wall, effects);
  } else if (Math.abs(at.wall - at.now - timetable.offset) > clockSetMs) {
    const repeats = lastDue !== undefined && lastDue > at.wall && lastDue - at.wall < notRepeatedMs;
    ask(state, schedule, repeats ? lastDue : at.wall, effects);
  } else state.timetable = { ...timetable, checkAt: checkAt(next, at) };
}

/** @param due the time it is run for; undefined for one that was missed. */
function call(state: Draft, due: number | undefined, effects: ServiceEffect[]): void {
  // Leftovers of the run before are gone in a moment, and are waited for then.
  const busy = state.phase === 'starting' || state.phase === 'running' || state.called;
  if (busy) {
    if (due === undefined) return;
    state.err = `its run of ${timeText(due)} was skipped: the one before had not ended`;
    say(state, 'skipped', state.err, effects);
    return;
  }
  state.called = true;
  state.phase = 'ready';
  state.failures = 0;
  state.startFailed = false;
}

const say = (state: Draft, kind: string, text: string, effects: ServiceEffect[]) =>
  effects.push({ do: 'notice', level: 'warn', kind, text: `services/${state.service}: ${text}` });

const timeText = (wall: number): string => `${new Date(wall).toISOString().slice(0, 16)}Z`;

export const timetableWakes = ({ timetable }: ServiceState): readonly number[] =>
  timetable?.next === undefined ? [] : [timetable.checkAt];
