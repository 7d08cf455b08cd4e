/** What the service core hears and asks for, and the few moves its transitions are made of (core.ts says when). */
import type { Random } from '../../../shared/clock.ts';
import type { Service } from '../../../shared/schemas/service.ts';
import type { Health, Schedule } from '../../../shared/schemas/service-life.ts';
import type { FoundUnit, Unit, UnitExit } from '../host.ts';
import type { Around } from './around.ts';
import { graceMs, sameAdjustment, sameProcess, stopSignal } from './spec.ts';
import type { CurrentUnit, ServiceState } from './state.ts';

export type ServiceEvent =
  | { readonly type: 'found'; readonly units: readonly FoundUnit[] }
  | { readonly type: 'want'; readonly spec: Service | undefined; readonly around?: Around | undefined }
  /** What it waits for or needs is another than before. */
  | { readonly type: 'around'; readonly around: Around | undefined }
  | { readonly type: 'restart' }
  | { readonly type: 'started'; readonly unit: string; readonly pid: number | undefined }
  | { readonly type: 'start-failed'; readonly unit: string; readonly error: string }
  | { readonly type: 'exited'; readonly unit: string; readonly exit: UnitExit; readonly lastLine?: string }
  | { readonly type: 'stopped'; readonly unit: string; readonly error?: string }
  /** A line of the unit's output has a text that was watched for. */
  | { readonly type: 'saw'; readonly unit: string; readonly text: string }
  /** The check that was asked for is over. */
  | { readonly type: 'checked'; readonly unit: string; readonly error?: string }
  | { readonly type: 'reloaded'; readonly unit: string; readonly error?: string }
  /** When it runs next, epoch milliseconds; undefined: never again. `missed`: a time before was. */
  | {
      readonly type: 'next-run';
      readonly schedule: Schedule;
      readonly next?: number;
      readonly missed: boolean;
      readonly error?: string;
    }
  /** The time that {@link wakeAt} asked for has come. */
  | { readonly type: 'time' };

export type ServiceEffect =
  | { readonly do: 'start'; readonly unit: Unit }
  | { readonly do: 'stop'; readonly unit: string; readonly signal: string; readonly graceMs: number }
  | { readonly do: 'discard'; readonly unit: string }
  /** The unit goes on, with other limits. */
  | { readonly do: 'adjust'; readonly unit: string; readonly spec: Service }
  /** Tell of lines of its output, from the first on, that have one of these texts; none: no longer. */
  | { readonly do: 'watch'; readonly unit: string; readonly texts: readonly string[] }
  /** Answered by one `checked`, unless cancelled or stopped meanwhile. */
  | { readonly do: 'check'; readonly unit: CurrentUnit; readonly health: Health }
  | { readonly do: 'cancel-check'; readonly unit: string }
  | { readonly do: 'reload'; readonly unit: CurrentUnit; readonly how: NonNullable<Service['reload']> }
  /** The running unit has other marks than it was started with. */
  | { readonly do: 'remember'; readonly unit: Unit }
  /** `missed`: whether a time between then (or ever) and now was missed is asked too. */
  | {
      readonly do: 'next-run';
      readonly schedule: Schedule;
      readonly after: number;
      readonly missed?: { readonly since: number | undefined };
    }
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

const backoffFirstMs = 500;
const backoffCapMs = 60_000;

/** A state while a step works on it. */
export type Draft = { -readonly [Key in keyof ServiceState]: ServiceState[Key] };

/** Whatever runs or waits is over: the next unit starts as soon as the earlier ones are gone. */
export function begin(state: Draft, effects: ServiceEffect[], restarts: number): void {
  delete state.waiting;
  delete state.reloadErr;
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

/** The current unit goes on as what is wanted by now, which is the same process. */
export function adjust(state: Draft, effects: ServiceEffect[], current: CurrentUnit, spec: Service): void {
  if (!sameAdjustment(current.spec, spec)) effects.push({ do: 'adjust', unit: current.unit, spec });
  state.current = { ...current, spec };
}

export function leave(state: Draft, effects: ServiceEffect[], unit: Unit): void {
  const spec = state.target && sameProcess(unit.spec, state.target) ? state.target : unit.spec;
  const leaving = { unit: unit.unit, signal: stopSignal(spec), graceMs: graceMs(spec), stuck: false };
  state.leaving = [...state.leaving, leaving];
  effects.push({ do: 'stop', unit: leaving.unit, signal: leaving.signal, graceMs: leaving.graceMs });
}

/** Starts again after a while. @param delayMs absent: the backoff's own. */
export function again(state: Draft, at: At, delayMs?: number): void {
  const full = Math.min(backoffCapMs, backoffFirstMs * 2 ** Math.min(Math.max(0, state.failures - 1), 30));
  state.phase = 'waiting';
  const wait = delayMs ?? full * (0.5 + at.random.next() / 2);
  state.due = at.now + wait;
  state.dueWall = at.wall + wait;
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
