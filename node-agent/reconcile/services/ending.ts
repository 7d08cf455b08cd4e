/** What becomes of a service when a unit of it could not be started, has ended, or is gone: a part of the core. */
import type { UnitExit } from '../host.ts';
import { type At, again, begin, type Draft, leave, retire, type ServiceEffect, settle } from './moves.ts';
import { cut, describeEnd, restartPolicy, sameProcess } from './spec.ts';
import { ranWell } from './vital.ts';

const stopRetryMs = 30_000;

export function onStartFailed(
  state: Draft,
  event: { unit: string; error: string },
  at: At,
  effects: ServiceEffect[],
): void {
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

export function onExited(
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
  const well = ranWell(state, at);
  // Not ours to sweep until a document says that the service is ours.
  if (!state.held) leave(state, effects, current);
  retire(state, effects, current);
  const ranMs = at.now - current.startedAt;
  state.failures = well ? 1 : state.failures + 1;
  state.err = describeEnd(event.exit, ranMs, state.failures, event.lastLine);
  if (state.held) {
    state.phase = 'ended';
    if (event.exit.code === 0) state.err = '';
    return;
  }
  afterEnd(state, event.exit, at);
  settle(state, effects);
}

export function startsAgain(state: Draft, exit: UnitExit): boolean {
  const policy = state.target ? restartPolicy(state.target) : 'always';
  return policy === 'always' || (policy === 'on-failure' && exit.code !== 0);
}

/** @param delayMs absent: the backoff's own. */
export function afterEnd(state: Draft, exit: UnitExit, at: At, delayMs?: number): void {
  if (startsAgain(state, exit)) {
    again(state, at, delayMs);
    return;
  }
  state.phase = 'ended';
  state.failures = 0;
  if (exit.code === 0) state.err = '';
}

export function onStopped(
  state: Draft,
  event: { unit: string; error?: string },
  at: At,
  effects: ServiceEffect[],
): void {
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
