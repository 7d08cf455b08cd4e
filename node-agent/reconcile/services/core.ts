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
 * - adopted: taken as found, and nothing is started or stopped, until the first document confirms or changes it. Of
 *   several units of one service one is kept, the others are stopped.
 *
 * A `want` (or `restart`) is *settled* when its first attempt is over: the process exists, or the start failed, or the
 * stop is done or failed, or there was nothing to do. What happens after is no longer that document's attempt.
 */
import type { Service } from '../../../shared/schemas/service.ts';
import type { Unit, UnitExit } from '../host.ts';
import { foundService } from './found.ts';
import {
  type At,
  begin,
  type Draft,
  forgetLast,
  leave,
  retire,
  type ServiceEffect,
  type ServiceEvent,
  settle,
} from './moves.ts';
import { cut, describeEnd, sameAdjustment, sameProcess } from './spec.ts';
import { newService, type ServiceState, shownState } from './state.ts';

export type { At, ServiceEffect, ServiceEvent } from './moves.ts';

const backoffFirstMs = 500;
const backoffCapMs = 60_000;
/** A unit that ran this long has run well. */
const ranWellMs = 10_000;
const stopRetryMs = 30_000;

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
  if (shown === 'crash-loop' && shownBefore !== 'crash-loop' && event.type === 'exited') {
    effects.push({ do: 'notice', level: 'warn', kind: 'crash-loop', text: `services/${name}: ${state.err}` });
  }
  return { state, effects };
}

/** Monotonic time of the next `time` event, undefined for none. */
export function wakeAt(state: ServiceState): number | undefined {
  const times: number[] = [];
  if (Number.isFinite(state.stopRetryAt) && state.leaving.some(unit => unit.stuck)) times.push(state.stopRetryAt);
  if (state.phase === 'waiting' && state.leaving.length === 0) times.push(state.due);
  if (state.phase === 'running' && state.failures > 0 && state.current) times.push(state.current.startedAt + ranWellMs);
  return times.length === 0 ? undefined : Math.min(...times);
}

function handle(state: Draft, event: ServiceEvent, at: At, effects: ServiceEffect[]): void {
  switch (event.type) {
    case 'found':
      Object.assign(state, foundService(state.service, event.units, at, effects));
      return;
    case 'want':
      onWant(state, event.spec, at, effects);
      return;
    case 'restart':
      if (state.target === undefined) return;
      state.settled = false;
      if (state.phase !== 'starting') begin(state, effects, state.restarts + 1);
      return;
    case 'started':
      if (state.current?.unit !== event.unit) return;
      state.phase = 'running';
      if (state.startFailed) state.failures = 0;
      state.startFailed = false;
      if (state.failures === 0) state.err = '';
      if (event.pid !== undefined) state.current = { ...state.current, pid: event.pid };
      if (state.target === undefined || !sameProcess(state.current.spec, state.target)) begin(state, effects, 0);
      else settle(state, effects);
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
      if (state.phase === 'running' && state.current && at.now >= state.current.startedAt + ranWellMs) {
        state.failures = 0;
        state.err = '';
      }
  }
}

function onWant(state: Draft, spec: Service | undefined, at: At, effects: ServiceEffect[]): void {
  const wasHeld = state.held;
  state.target = spec;
  state.settled = false;
  state.held = false;
  if (wasHeld) confirm(state, effects);
  // A start under way is let finish: what came of it is compared then.
  if (state.phase === 'starting') return;
  const unit = state.current ?? state.last;
  if (spec === undefined || !unit || !sameProcess(unit.spec, spec)) {
    begin(state, effects, 0);
    return;
  }
  if (state.current) {
    const { unit, spec: before } = state.current;
    if (!sameAdjustment(before, spec)) effects.push({ do: 'adjust', unit, spec });
    state.current = { ...state.current, spec };
  }
  if (state.last) state.last = { ...state.last, spec };
  if (state.phase === 'ended') afterEnd(state, state.exit ?? {}, at, 0);
  else if (state.phase === 'waiting' && !startsAgain(state, state.exit ?? {})) afterEnd(state, state.exit ?? {}, at);
  if (state.phase !== 'ready' && !(state.phase === 'waiting' && state.due <= at.now)) settle(state, effects);
}

/** The first word of a document on what was adopted: one unit is kept, its fellows and its leavings go. */
function confirm(state: Draft, effects: ServiceEffect[]): void {
  const { target, current } = state;
  if (target && current && !sameProcess(current.spec, target)) {
    const fitting = state.strays.find(stray => !stray.ended && sameProcess(stray.spec, target));
    if (fitting) {
      const { ended: _ended, ...kept } = fitting;
      state.strays = [...state.strays.filter(stray => stray !== fitting), { ...current, ended: false }];
      state.current = kept;
    }
  }
  for (const stray of state.strays) leave(state, effects, stray);
  state.strays = [];
  if (!state.current && state.last) leave(state, effects, state.last);
}

function onStartFailed(state: Draft, event: { unit: string; error: string }, at: At, effects: ServiceEffect[]): void {
  if (state.current?.unit !== event.unit) return;
  effects.push({ do: 'discard', unit: event.unit });
  const { spec } = state.current;
  delete state.current;
  if (state.target === undefined || !sameProcess(spec, state.target)) {
    begin(state, effects, 0);
    return;
  }
  state.err = cut(event.error);
  if (!state.startFailed) {
    const text = `services/${state.service}: ${state.err}`;
    effects.push({ do: 'notice', level: 'warn', kind: 'start-failed', text });
  }
  state.startFailed = true;
  state.failures++;
  again(state, at);
  settle(state, effects, state.err);
}

function onExited(
  state: Draft,
  event: { unit: string; exit: UnitExit; lastLine?: string },
  at: At,
  effects: ServiceEffect[],
): void {
  const { current } = state;
  if (current?.unit !== event.unit) {
    if (state.last?.unit === event.unit) state.exit = event.exit;
    return;
  }
  state.exit = event.exit;
  // Not ours to sweep until a document says that the service is ours.
  if (!state.held) leave(state, effects, current);
  retire(state, effects, current);
  const ranMs = at.now - current.startedAt;
  state.failures = ranMs < ranWellMs ? state.failures + 1 : 1;
  state.err = describeEnd(event.exit, ranMs, state.failures, event.lastLine);
  if (state.held) {
    state.phase = 'ended';
    if (event.exit.code === 0) state.err = '';
    return;
  }
  afterEnd(state, event.exit, at);
  settle(state, effects);
}

function startsAgain(state: Draft, exit: UnitExit): boolean {
  const policy = state.target?.restart ?? 'always';
  return policy === 'always' || (policy === 'on-failure' && exit.code !== 0);
}

/** @param delayMs absent: the backoff's own. */
function afterEnd(state: Draft, exit: UnitExit, at: At, delayMs?: number): void {
  if (startsAgain(state, exit)) {
    again(state, at, delayMs);
    return;
  }
  state.phase = 'ended';
  state.failures = 0;
  if (exit.code === 0) state.err = '';
}

function again(state: Draft, at: At, delayMs?: number): void {
  const full = Math.min(backoffCapMs, backoffFirstMs * 2 ** Math.min(Math.max(0, state.failures - 1), 30));
  state.phase = 'waiting';
  const wait = delayMs ?? full * (0.5 + at.random.next() / 2);
  state.due = at.now + wait;
  state.dueWall = at.wall + wait;
}

function onStopped(state: Draft, event: { unit: string; error?: string }, at: At, effects: ServiceEffect[]): void {
  const unit = state.leaving.find(leaving => leaving.unit === event.unit);
  if (!unit) return;
  if (event.error !== undefined) {
    state.leaving = state.leaving.map(each => (each === unit ? { ...unit, stuck: true } : each));
    state.stopRetryAt = at.now + stopRetryMs;
    state.err = cut(event.error);
    effects.push({
      do: 'notice',
      level: 'error',
      kind: 'stop-failed',
      text: `services/${state.service}: ${state.err}`,
    });
    settle(state, effects, state.err);
    return;
  }
  state.leaving = state.leaving.filter(leaving => leaving !== unit);
  if (unit.stuck && !state.leaving.some(leaving => leaving.stuck)) state.err = '';
  if (state.last?.unit !== unit.unit) effects.push({ do: 'discard', unit: unit.unit });
}

/** What is left to do once nobody is leaving any more. */
function proceed(state: Draft, at: At, effects: ServiceEffect[]): void {
  if (state.leaving.length > 0 || state.held) return;
  if (state.phase === 'ready' && state.target === undefined) {
    forgetLast(state, effects);
    settle(state, effects);
    effects.push({ do: 'gone' });
    return;
  }
  if (state.target === undefined) return;
  const dueNow = state.phase === 'waiting' && at.now >= state.due;
  if (state.phase !== 'ready' && !dueNow) return;
  if (dueNow && !state.startFailed) state.restarts++;
  if (state.restarts === 0) delete state.exit;
  forgetLast(state, effects);
  const unit: Unit = {
    unit: at.random.hex(16),
    service: state.service,
    spec: state.target,
    ...(state.restarts > 0 ? { restarts: state.restarts } : {}),
  };
  state.current = { ...unit, startedAt: at.now };
  state.phase = 'starting';
  effects.push({ do: 'start', unit });
}
