/** What the service core hears and asks for, and the few moves its transitions are made of (core.ts says when). */
import type { Random } from '../../../shared/clock.ts';
import type { Service } from '../../../shared/schemas/service.ts';
import type { FoundUnit, Unit, UnitExit } from '../host.ts';
import { graceMs, sameProcess, stopSignal } from './spec.ts';
import type { CurrentUnit, ServiceState } from './state.ts';

export type ServiceEvent =
  | { readonly type: 'found'; readonly units: readonly FoundUnit[] }
  | { readonly type: 'want'; readonly spec: Service | undefined }
  | { readonly type: 'restart' }
  | { readonly type: 'started'; readonly unit: string; readonly pid: number | undefined }
  | { readonly type: 'start-failed'; readonly unit: string; readonly error: string }
  | { readonly type: 'exited'; readonly unit: string; readonly exit: UnitExit; readonly lastLine?: string }
  | { readonly type: 'stopped'; readonly unit: string; readonly error?: string }
  /** The time that {@link wakeAt} asked for has come. */
  | { readonly type: 'time' };

export type ServiceEffect =
  | { readonly do: 'start'; readonly unit: Unit }
  | { readonly do: 'stop'; readonly unit: string; readonly signal: string; readonly graceMs: number }
  | { readonly do: 'discard'; readonly unit: string }
  /** The unit goes on, with other limits. */
  | { readonly do: 'adjust'; readonly unit: string; readonly spec: Service }
  | { readonly do: 'settled'; readonly error?: string }
  | { readonly do: 'notice'; readonly level: 'info' | 'warn' | 'error'; readonly kind: string; readonly text: string }
  /** Told to be gone, and it is: nothing is left to remember. */
  | { readonly do: 'gone' };

export interface At {
  /** Monotonic milliseconds. */
  readonly now: number;
  readonly wall: number;
  readonly random: Random;
}

/** A state while a step works on it. */
export type Draft = { -readonly [Key in keyof ServiceState]: ServiceState[Key] };

/** Whatever runs or waits is over: the next unit starts as soon as the earlier ones are gone. */
export function begin(state: Draft, effects: ServiceEffect[], restarts: number): void {
  if (state.current) {
    leave(state, effects, state.current);
    retire(state, effects, state.current);
  }
  state.phase = 'ready';
  state.restarts = restarts;
  state.failures = 0;
  state.startFailed = false;
  if (!state.leaving.some(unit => unit.stuck)) state.err = '';
}

export function leave(state: Draft, effects: ServiceEffect[], unit: Unit): void {
  const spec = state.target && sameProcess(unit.spec, state.target) ? state.target : unit.spec;
  const leaving = { unit: unit.unit, signal: stopSignal(spec), graceMs: graceMs(spec), stuck: false };
  state.leaving = [...state.leaving, leaving];
  effects.push({ do: 'stop', unit: leaving.unit, signal: leaving.signal, graceMs: leaving.graceMs });
}

/** The current unit becomes the last one; the one before that is forgotten. */
export function retire(state: Draft, effects: ServiceEffect[], unit: CurrentUnit): void {
  forgetLast(state, effects);
  const { pid: _pid, startedAt: _startedAt, ...last } = unit;
  state.last = last;
  delete state.current;
}

export function forgetLast(state: Draft, effects: ServiceEffect[]): void {
  // One that still has processes is discarded when they are gone.
  const { last } = state;
  if (last && !state.leaving.some(unit => unit.unit === last.unit)) effects.push({ do: 'discard', unit: last.unit });
  delete state.last;
}

/** The first attempt of what was last asked is over. */
export function settle(state: Draft, effects: ServiceEffect[], error?: string): void {
  if (state.settled) return;
  state.settled = true;
  effects.push(error === undefined ? { do: 'settled' } : { do: 'settled', error });
}
