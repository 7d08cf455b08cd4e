/**
 * The Executor seam: what runs tasks. The real one is a process of its own beside the agent, so that no work is in the
 * agent's event loop and a task survives an agent that is killed, updated or restarted: the next agent finds the executor
 * and is told first what it holds. The simulator's is made up.
 */
import type { End, Recipe } from '../../shared/schemas/work.ts';

/** One attempt to run. */
export interface ExecutorTask {
  readonly token: number;
  readonly r: number;
  readonly index: number;
  readonly attempt: number;
  /** As sent; absent where the recipe's array says it, or there is none. */
  readonly value?: unknown;
  /** base64. */
  readonly checkpoint?: string;
}

/** What an executor holds of an earlier agent. */
export interface AdoptedTask {
  readonly token: number;
  readonly r: number;
  readonly index: number;
  readonly attempt: number;
  readonly state: 'waiting' | 'running';
  /** Of class `heat`, and not urgent. */
  readonly heat?: boolean;
}

export interface Ended {
  readonly token: number;
  readonly r: number;
  readonly index: number;
  readonly attempt: number;
  readonly ms: number;
  /** Integral over its time of 1 / running tasks, ms. */
  readonly shareMs: number;
  /** Absent: it succeeded and gave back nothing. */
  readonly end?: End;
}

export interface ExecutorHandlers {
  /** Once, before anything else: what it holds. Results that the last agent did not take follow as `ended`. */
  ready(tasks: readonly AdoptedTask[]): void;
  /** In batches, in order. A task that ends was said to have started before, at the latest in the call before. */
  started(tokens: readonly number[]): void;
  /** The executor keeps each until {@link Executor.taken} names it. */
  ended(results: readonly Ended[]): void;
  checkpoint(token: number, base64: string): void;
  /** Of `drop` and `takeBack`: these had not started, and never will. */
  dropped(tokens: readonly number[]): void;
  /** Tasks of class `heat` that have begun and are frozen now: all of them, whenever these are others. */
  frozen(tokens: readonly number[]): void;
  /** The executor is gone, and its tasks with it; it is started again with the next task. `ready` follows then. */
  lost(reason: string): void;
}

export interface Executor {
  /** Finds one that is still there, or says at once that there is none (`ready([])`); starts none. */
  attach(handlers: ExecutorHandlers): void;
  /** `undefined`: this node's own word on what may run here. */
  configure(settings: {
    readonly slots: number;
    readonly inline: boolean;
    readonly scripts: boolean;
    readonly plugins: Readonly<Record<string, string>>;
  }): void;
  /**
   * `recipes`: those of the tasks, all of them with every call, so that none is missing in an executor that was started
   * again; what it has already is not sent to it twice. Starts one where there is none. It runs up to its slots at a time, in the order given, and
   * starts the next without asking.
   */
  run(recipes: readonly Recipe[], tasks: readonly ExecutorTask[]): void;
  forget(recipes: readonly number[]): void;
  /**
   * So many slots may be used by tasks of class `heat` (beside those of all others); what runs above that is frozen, with
   * all its processes, until there is room again: that time counts for nothing. None before it is said.
   * @param groups cgroup folders that their processes are put into; empty: they stay where the others are.
   */
  heat(most: number, groups: readonly string[]): void;
  /** Tasks of these recipes of class `heat` run as all others from now on, those that are frozen too. */
  urgent(recipes: readonly number[]): void;
  /** Results that are on the agent's disk now. */
  taken(tokens: readonly number[]): void;
  /** Those that have not started: `dropped` names them; the others go on. */
  takeBack(tokens: readonly number[]): void;
  /** Dropped if waiting, ended with all their descendants if running; nothing more is heard of them but `dropped`. */
  kill(tokens: readonly number[]): void;
  /** Names of plugins that are installed here. */
  plugins(done: (names: readonly string[]) => void): void;
  /** The agent goes: `keep` leaves the executor and its tasks alone for the next one. */
  close(keep: boolean, done: () => void): void;
}
