/** What the service core knows about one service, and how it looks from outside. */
import type { ItemStatus } from '../../../shared/schemas/observed.ts';
import type { Service } from '../../../shared/schemas/service.ts';
import type { Unit, UnitExit } from '../host.ts';
import { type Around, circleSentence, type Missing, type Standing, waitingSentence } from './around.ts';
import { cut } from './spec.ts';

/** The unit that is being started or runs. */
export interface CurrentUnit extends Unit {
  readonly pid?: number;
  /** Monotonic; for an adopted unit the moment of adoption less what it had run. */
  readonly startedAt: number;
}

/** A further unit of the same service that an earlier agent left. */
export interface Stray extends CurrentUnit {
  readonly ended: boolean;
}

/** A unit that must be gone, to its last process, before another may start. */
export interface LeavingUnit {
  readonly unit: string;
  readonly signal: string;
  readonly graceMs: number;
  /** The host could not end it; asked again at {@link ServiceState.stopRetryAt}. */
  readonly stuck: boolean;
}

/** Whether the current unit is ready and well (vital.ts). Only where the service has a word on either. */
export interface Vital {
  readonly unit: string;
  /** `health` and `ready` that this goes by, as JSON. */
  readonly of: string;
  readonly ready: boolean;
  /** Undefined: no health check, or nothing looked at yet. */
  readonly health?: 'starting' | 'healthy' | 'unhealthy';
  /** Watched texts that its output had. */
  readonly seen: readonly string[];
  /** Failed checks in a row. */
  readonly fails: number;
  readonly checking: boolean;
  /** Monotonic time of the next check. */
  readonly checkAt: number;
  /** Between two checks, until one has passed. */
  readonly waitMs: number;
}

/** When it runs (timetable.ts). Only where the service has a schedule. */
export interface Timetable {
  /** The schedule that this goes by, as JSON. */
  readonly of: string;
  /** Wall clock; undefined while it is being asked for, and where there is none. */
  readonly next?: number;
  /** Monotonic time of the next look at the wall clock. */
  readonly checkAt: number;
  /** Wall clock less monotonic time when `next` was asked for. */
  readonly offset: number;
  /** Wall clock: the last time that has come. */
  readonly lastDue?: number;
}

/** What it waits for before it starts (gate.ts). */
export interface WaitingFor {
  readonly for: Missing;
  readonly needed: boolean;
  /** Monotonic. */
  readonly since: number;
  /** Longer than anybody should have to. */
  readonly late: boolean;
}

export interface ServiceState {
  readonly service: string;
  /** What it was last told to be; undefined: to be gone. */
  readonly target: Service | undefined;
  /** The target's first attempt is over. */
  readonly settled: boolean;
  /** Adopted, and no document seen yet: nothing is started or stopped. */
  readonly held: boolean;
  /**
   * `ready`: starts (or, without a target, is forgotten) once `leaving` is empty; `starting`: the host was asked;
   * `running`; `waiting`: starts again at `due`; `ended`: its restart policy says that this was it; `scheduled`: runs
   * when its time comes.
   */
  readonly phase: 'ready' | 'starting' | 'running' | 'waiting' | 'ended' | 'scheduled';
  readonly current?: CurrentUnit;
  readonly leaving: readonly LeavingUnit[];
  /** Found beside the current unit at adoption; stopped with the first document. */
  readonly strays: readonly Stray[];
  /** The last unit that ended and its process as described then; its output is kept until another unit runs. */
  readonly last?: Unit;
  readonly exit?: UnitExit;
  readonly restarts: number;
  /** Ends in a row without having run well in between. */
  readonly failures: number;
  readonly due: number;
  /** The same on the wall clock, for people. */
  readonly dueWall: number;
  readonly stopRetryAt: number;
  /** Why it is not as wanted; `""` when nothing is known against it. */
  readonly err: string;
  /** The last attempt to start it failed before there was a process. */
  readonly startFailed: boolean;
  /** What it waits for and needs, as last told; undefined: nothing. */
  readonly around?: Around;
  readonly waiting?: WaitingFor;
  readonly vital?: Vital;
  readonly timetable?: Timetable;
  /** Its time has come, or somebody asked for a run of it. */
  readonly called?: boolean;
  /** Wall clock of the last start of a unit. */
  readonly lastRun?: number;
  /** Why the unit that runs could not be reloaded. */
  readonly reloadErr?: string;
  /** Wall clock at the last change of the state people see. */
  readonly since_ms: number;
}

export const newService = (service: string, wall: number): ServiceState => ({
  service,
  target: undefined,
  settled: true,
  held: false,
  phase: 'ready',
  leaving: [],
  strays: [],
  restarts: 0,
  failures: 0,
  due: 0,
  dueWall: 0,
  stopRetryAt: 0,
  err: '',
  startFailed: false,
  since_ms: wall,
});

/** A unit that ran this long has run well. */
export const ranWellMs = 10_000;
/** Quick ends in a row from which on it is called a crash loop. */
const crashLoopAfter = 5;

/** Without a document of its own, an adopted service counts as wanted as it is. */
const isWanted = (state: ServiceState): boolean => state.target !== undefined || state.held;

/** `waiting scheduled starting running stopping stopped exited backoff crash-loop failed`. */
export function shownState(state: ServiceState): string {
  if (state.leaving.some(unit => unit.stuck)) return 'failed';
  if (state.waiting) return 'waiting';
  const looping = state.failures >= crashLoopAfter;
  switch (state.phase) {
    case 'starting':
      if (state.startFailed) return 'failed';
      return looping ? 'crash-loop' : 'starting';
    case 'running':
      return looping ? 'crash-loop' : 'running';
    case 'ready':
      if (state.leaving.length > 0) return 'stopping';
      return isWanted(state) ? 'starting' : 'stopped';
    case 'waiting':
      if (state.startFailed) return 'failed';
      return looping ? 'crash-loop' : 'backoff';
    case 'ended':
      return state.err === '' ? 'exited' : 'failed';
    case 'scheduled':
      return state.leaving.length > 0 ? 'stopping' : 'scheduled';
  }
}

/** How it stands for those that wait for it; undefined: it is not to be there. */
export function standingOf(state: ServiceState): Standing | undefined {
  if (!isWanted(state)) return undefined;
  const { waiting, vital } = state;
  if (waiting) return waiting.needed && (waiting.late || waiting.for.why !== 'pending') ? 'failed' : 'pending';
  switch (shownState(state)) {
    case 'running':
      if (vital?.health === 'unhealthy') return 'failed';
      return vital && !vital.ready ? 'pending' : 'ok';
    case 'exited':
      return 'ok';
    case 'scheduled':
      return state.err === '' ? 'ok' : 'failed';
    case 'failed':
    case 'crash-loop':
      return 'failed';
    default:
      return 'pending';
  }
}

/** Why it is not as wanted, `""` for nothing. */
function reasonOf(state: ServiceState): string {
  const { waiting, around, err, reloadErr } = state;
  if (waiting) return cut(waitingSentence(waiting.for));
  if (err !== '') return err;
  return reloadErr ?? (around?.circle ? cut(circleSentence(around.circle)) : '');
}

export function statusOf(state: ServiceState): ItemStatus {
  const pid = state.current?.pid;
  const { exit, vital, timetable } = state;
  const err = reasonOf(state);
  const shown = shownState(state);
  return {
    state: shown,
    ...(pid === undefined ? {} : { pid }),
    ...(vital?.health === undefined || !state.current ? {} : { health: vital.health }),
    since_ms: Math.round(state.since_ms),
    restarts: state.restarts,
    ...(exit?.code === undefined ? {} : { exit: exit.code }),
    ...(exit?.signal === undefined ? {} : { signal: exit.signal.slice(0, 12) }),
    ...(state.phase === 'waiting' && !state.waiting ? { next_ms: Math.round(state.dueWall) } : {}),
    ...(shown === 'scheduled' && timetable?.next !== undefined ? { next_ms: timetable.next } : {}),
    ...(err === '' ? {} : { err }),
  };
}

/** The one thing worth a fabric-wide error: not started, not stopped, not well, or never up for long. `""` for none. */
export function errorOf(state: ServiceState): string {
  const { waiting, vital, err } = state;
  if (waiting) return standingOf(state) === 'failed' ? reasonOf(state) : '';
  const shown = shownState(state);
  if (shown === 'failed' || shown === 'crash-loop' || shown === 'scheduled') return err;
  if (vital?.health === 'unhealthy') return err;
  return state.reloadErr ?? (state.around?.circle ? cut(circleSentence(state.around.circle)) : '');
}
