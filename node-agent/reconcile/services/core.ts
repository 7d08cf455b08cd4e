/**
 * One service's life, as a pure state machine. In prose:
 *
 * A service is told what to be (`want`): a description, or nothing at all. It runs as a sequence of *units*; at most one
 * unit of a service has a process at any moment, so a unit is started only when every earlier one is gone to its last
 * process ("leaving" is empty). What ends a unit's main process (itself, a signal, us) does not matter for that: the
 * host is always asked to sweep up what it left behind before the next one starts.
 *
 * - told a different process while one runs: the old one is stopped, then the new one started, counting from zero;
 *   told only another way to restart or stop: the process stays. Told to go: stopped, then forgotten.
 * - told anything while a start is under way: the host is let finish, then the outcome is compared with what is wanted.
 * - ended by itself: `always` starts it again, `on-failure` unless it was exit 0, `never` not. Again means after
 *   0.5 s, doubling up to 60 s with every end in a row, less up to half at random so that a fleet does not beat as one.
 *   A unit that ran for 10 s has run well: the row begins anew.
 * - five ends in a row are a crash loop: still tried again, ever slower, and shown as `crash-loop` with the reason until
 *   a unit has run well, so that what people see does not flicker between tries.
 * - could not be started at all (no such folder): as above, shown as `failed` with the reason.
 * - could not be stopped (a process stuck in the kernel): shown as `failed`, asked again every 30 s, and nothing new is
 *   started meanwhile.
 * - waits for others, is looked after while it runs, runs at its times: gate.ts, vital.ts and timetable.ts say when.
 * - adopted: taken as found, and nothing is started or stopped, until the first document confirms or changes it. Of
 *   several units of one service one is kept, the others are stopped.
 *
 * A `want` (or `restart`) is *settled* when its first attempt is over: the process exists, or the start failed, or the
 * stop is done or failed, or there was nothing to do. What happens after is no longer that document's attempt.
 */
import type { Unit } from '../host.ts';
import { onExited, onStartFailed, onStopped } from './ending.ts';
import { foundService } from './found.ts';
import { catchUp, mayStart, patienceMs } from './gate.ts';
import {
  type At,
  adjust,
  begin,
  type Draft,
  forgetLast,
  type ServiceEffect,
  type ServiceEvent,
  settle,
} from './moves.ts';
import { cut, sameProcess } from './spec.ts';
import { newService, ranWellMs, type ServiceState, shownState } from './state.ts';
import { keepTime, onNextRun, onTime, timetableWakes } from './timetable.ts';
import { onChecked, onSaw, ranWell, tend, vitalWakes } from './vital.ts';
import { onWant } from './wanting.ts';

export type { At, ServiceEffect, ServiceEvent } from './moves.ts';

/** Events by which a crash loop begins; others only show it again. */
const endings: readonly ServiceEvent['type'][] = ['exited', 'checked', 'saw', 'time'];

export interface Stepped {
  readonly state: ServiceState;
  readonly effects: readonly ServiceEffect[];
}

/** @param before undefined for a service nothing is known of yet. */
export function step(before: ServiceState | undefined, name: string, event: ServiceEvent, at: At): Stepped {
  const state: Draft = { ...(before ?? newService(name, at.wall)) };
  const effects: ServiceEffect[] = [];
  const shownBefore = before === undefined ? undefined : shownState(before);
  handle(state, event, at, effects);
  proceed(state, at, effects);
  const shown = shownState(state);
  if (event.type !== 'found' && shown !== shownBefore) state.since_ms = at.wall;
  if (shown === 'crash-loop' && shownBefore !== 'crash-loop' && endings.includes(event.type)) {
    effects.push({ do: 'notice', level: 'warn', kind: 'crash-loop', text: `services/${name}: ${state.err}` });
  }
  return { state, effects };
}

/** Monotonic time of the next `time` event, undefined for none. */
export function wakeAt(state: ServiceState): number | undefined {
  const times: number[] = [];
  if (Number.isFinite(state.stopRetryAt) && state.leaving.some(unit => unit.stuck)) times.push(state.stopRetryAt);
  if (state.waiting) {
    if (!state.waiting.late) times.push(state.waiting.since + patienceMs);
  } else if (state.phase === 'waiting' && state.leaving.length === 0) times.push(state.due);
  const mayHaveRunWell = state.target?.health === undefined || state.vital?.health === 'healthy';
  if (state.phase === 'running' && state.failures > 0 && state.current && mayHaveRunWell)
    times.push(state.current.startedAt + ranWellMs);
  if (!state.held) times.push(...vitalWakes(state), ...timetableWakes(state));
  return times.length === 0 ? undefined : Math.min(...times);
}

function handle(state: Draft, event: ServiceEvent, at: At, effects: ServiceEffect[]): void {
  switch (event.type) {
    case 'found':
      Object.assign(state, foundService(state.service, event.units, at, effects));
      return;
    case 'want':
      setAround(state, event.around);
      onWant(state, event.spec, at, effects);
      return;
    case 'restart':
      if (state.target === undefined) return;
      state.settled = false;
      if (state.phase === 'starting') return;
      if (state.target.schedule !== undefined) state.called = true;
      begin(state, effects, state.restarts + 1);
      return;
    case 'around':
      setAround(state, event.around);
      return;
    case 'saw':
      onSaw(state, event);
      return;
    case 'checked':
      onChecked(state, event, at, effects);
      return;
    case 'reloaded':
      if (state.current?.unit !== event.unit) return;
      delete state.reloadErr;
      if (event.error !== undefined) state.reloadErr = cut(`could not be reloaded: ${event.error}`);
      return;
    case 'next-run':
      onNextRun(state, event, at, effects);
      return;
    case 'started':
      if (state.current?.unit !== event.unit) return;
      state.phase = 'running';
      if (state.startFailed) state.failures = 0;
      state.startFailed = false;
      if (state.failures === 0) state.err = '';
      if (event.pid !== undefined) state.current = { ...state.current, pid: event.pid };
      if (state.target === undefined || !sameProcess(state.current.spec, state.target)) begin(state, effects, 0);
      else {
        adjust(state, effects, state.current, state.target);
        settle(state, effects);
      }
      return;
    case 'start-failed':
      onStartFailed(state, event, at, effects);
      return;
    case 'exited':
      onExited(state, event, at, effects);
      return;
    case 'stopped':
      onStopped(state, event, at, effects);
      return;
    case 'time':
      if (at.now >= state.stopRetryAt && state.leaving.some(unit => unit.stuck)) {
        for (const { unit, signal, graceMs, stuck } of state.leaving) {
          if (stuck) effects.push({ do: 'stop', unit, signal, graceMs });
        }
        state.stopRetryAt = Number.POSITIVE_INFINITY;
      }
      onTime(state, at, effects);
  }
}

function setAround(state: Draft, around: Draft['around']): void {
  if (around === undefined) delete state.around;
  else state.around = around;
}

/** What is left to do, whatever the event was. */
function proceed(state: Draft, at: At, effects: ServiceEffect[]): void {
  if (state.held) return;
  keepTime(state, at, effects);
  tend(state, at, effects);
  catchUp(state, effects);
  if (state.phase === 'running' && state.failures > 0 && ranWell(state, at)) {
    state.failures = 0;
    state.err = '';
  }
  startNext(state, at, effects);
  // What it says from its first line on may be what is waited for.
  if (state.phase === 'starting') tend(state, at, effects);
}

/** Starts the next unit, or forgets the service, once nobody is leaving any more. */
function startNext(state: Draft, at: At, effects: ServiceEffect[]): void {
  if (state.leaving.length > 0) return;
  if (state.phase === 'ready' && state.target === undefined) {
    forgetLast(state, effects);
    settle(state, effects);
    effects.push({ do: 'gone' });
    return;
  }
  if (state.target === undefined) return;
  const dueNow = state.phase === 'waiting' && at.now >= state.due;
  if (state.phase !== 'ready' && !dueNow) {
    delete state.waiting;
    return;
  }
  if (!mayStart(state, at, effects)) return;
  if (dueNow && !state.startFailed) state.restarts++;
  if (state.restarts === 0) delete state.exit;
  forgetLast(state, effects);
  const marks = state.around?.marks ?? {};
  const unit: Unit = {
    unit: at.random.hex(16),
    service: state.service,
    spec: state.target,
    ...(state.restarts > 0 ? { restarts: state.restarts } : {}),
    ...(Object.keys(marks).length > 0 ? { marks } : {}),
  };
  state.current = { ...unit, startedAt: at.now };
  state.phase = 'starting';
  delete state.called;
  delete state.reloadErr;
  state.lastRun = at.wall;
  effects.push({ do: 'start', unit });
}
