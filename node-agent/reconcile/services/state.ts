/** What the service core knows about one service, and how it looks from outside. */
import type { ItemStatus } from '../../../shared/schemas/observed.ts';
import type { Service } from '../../../shared/schemas/service.ts';
import type { Unit, UnitExit } from '../host.ts';

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
   * `running`; `waiting`: starts again at `due`; `ended`: its restart policy says that this was it.
   */
  readonly phase: 'ready' | 'starting' | 'running' | 'waiting' | 'ended';
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

/** Quick ends in a row from which on it is called a crash loop. */
const crashLoopAfter = 5;

/** Without a document of its own, an adopted service counts as wanted as it is. */
const isWanted = (state: ServiceState): boolean => state.target !== undefined || state.held;

/** `starting running stopping stopped exited backoff crash-loop failed`. */
export function shownState(state: ServiceState): string {
  if (state.leaving.some(unit => unit.stuck)) return 'failed';
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
  }
}

export function statusOf(state: ServiceState): ItemStatus {
  const pid = state.current?.pid;
  const { exit, err } = state;
  return {
    state: shownState(state),
    ...(pid === undefined ? {} : { pid }),
    since_ms: Math.round(state.since_ms),
    restarts: state.restarts,
    ...(exit?.code === undefined ? {} : { exit: exit.code }),
    ...(exit?.signal === undefined ? {} : { signal: exit.signal.slice(0, 12) }),
    ...(state.phase === 'waiting' ? { next_ms: Math.round(state.dueWall) } : {}),
    ...(err === '' ? {} : { err }),
  };
}

/** The one thing worth a fabric-wide error: not started, not stopped, or never up for long. `""` for none. */
export function errorOf(state: ServiceState): string {
  const shown = shownState(state);
  return shown === 'failed' || shown === 'crash-loop' ? state.err : '';
}
