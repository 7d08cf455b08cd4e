/**
 * What runs tasks of one kind inside the executor's process: commands (`command/`), and plugins, packages and inline
 * code (`modules/`, whose index.ts exports `createModuleRunners(parts: RunnerParts): ModuleRunners`; it is loaded with the first
 * task of these kinds).
 *
 * The executor opens a lane where a task finds free slots and no lane of its recipe is idle, and feeds it. Idle lanes stay,
 * the longest idle are closed where there would be more lanes than slots, all when nothing has run for a while. A lane runs one task after the other; as many lanes are open as fit into the
 * slots. Where tasks are short, a lane is given several at once (up to `ahead`), so that none waits for word from here.
 * The executor counts time, slots, timeouts and results; a runner knows nothing of these.
 *
 * Nothing here throws. Handlers are called later, never from inside of `open`, `run`, `stop` or `close`.
 */
import type { Log } from '../../../shared/log.ts';
import type { End, Recipe } from '../../../shared/schemas/work.ts';
import type { ExecutorTask } from '../executor.ts';
import type { HeatGroups } from './heat-groups.ts';

export interface LaneHandlers {
  /** It runs now: from here its timeout counts. Once for each task, in the order given. */
  began(token: number): void;
  /**
   * Once for each that began, after all that it started is gone. `end` absent: it succeeded and gave back nothing.
   * What it gives back is in bounds (`jobLimits.result`). @param ms its own time, where the lane knows it better than the
   * time between two calls says, as of tasks that are told of in batches.
   */
  ended(token: number, end?: End, ms?: number): void;
  /**
   * Not begun, and not going to be. They are queued again, first in line.
   * @param lost their worker is gone: after a few times that is theirs to answer for. Else the lane has no use for them now.
   */
  returned(tokens: readonly number[], lost?: boolean): void;
  /** At most `jobLimits.checkpoint` bytes, base64; the newest counts. Not after `ended`. */
  checkpoint(token: number, base64: string): void;
}

export interface Lane {
  /** Runs them one after the other, after those that it has, in this order. */
  run(tasks: readonly ExecutorTask[]): void;
  /** Ends that task for good, with all that it started: `ended` follows; or `returned`, where it has not begun. */
  stop(token: number): void;
  /** All processes of its task stand still (SIGSTOP), also those that it starts only then; or go on. */
  freeze(on: boolean): void;
  /** Somebody else has stopped it. */
  readonly stopped: boolean;
  /** Its processes are put into the groups of heat, which are others now; or out of them. */
  heat(on: boolean): void;
  /** No task comes any more, and it holds none. A worker may be kept warm for the next lane, in bounds. */
  close(): void;
}

/** This node's own word on what may run here, as of {@link import('../executor.ts').Executor.configure}. */
export interface Settings {
  readonly slots: number;
  readonly inline: boolean;
  readonly scripts: boolean;
  /** Module by the plugin's name: `artifact:SHA256`. */
  readonly plugins: Readonly<Record<string, string>>;
}

export interface Runner {
  /** Tasks that one lane may hold; 1 where it is of no use to know the next. */
  readonly ahead: number;
  open(recipe: Recipe, handlers: LaneHandlers): Lane;
  configure(settings: Settings): void;
  /** The recipe is over; none of its tasks is held any more. */
  forget(r: number): void;
  /** Nothing has run for a while: what is kept warm goes. */
  rest(): void;
  /** Ends every process of its own. `done` once they are gone. */
  close(done: () => void): void;
}

export interface ModuleRunners {
  readonly plugin: Runner;
  readonly package: Runner;
  readonly code: Runner;
}

/** A file by its hash, from the node's cache or through its agent: the executor itself holds no credentials. */
export interface Files {
  /**
   * `done` exactly once, later: a copy that is only read, never written, executed or renamed, until it is released. Waits
   * while no agent is there. @param url `artifact:SHA256`, `http://…` or `https://…`. @returns cancels; `done` is not called.
   */
  fetch(
    source: { readonly url: string; readonly sha256?: string },
    done: (error: string | undefined, copy?: { readonly file: string; release(): void }) => void,
  ): () => void;
  /** Puts a file into the artifact store. `done` exactly once, later, with its SHA-256. It must not change meanwhile. */
  upload(file: string, done: (error: string | undefined, sha256?: string) => void): () => void;
}

/**
 * Marks of processes in their environment (`HEARTH_UNIT`): whatever carries one of this executor's marks that is not taken
 * any more is killed, in the next sweep or by the next executor. Every process that is started for a task needs one.
 */
export interface Marks {
  /** A new mark: put it as HEARTH_UNIT into the environment of what is started. */
  take(): string;
  /** What carries it may be killed from now on. */
  release(mark: string): void;
  /**
   * Ends all that carries the mark, and their descendants and process groups, `setsid` ones too: TERM, then KILL after
   * `graceMs` (0: at once). `done` once nobody is left. The mark is released.
   * @param group of a leader that the caller started detached; 0 for none.
   */
  end(mark: string, group: number, graceMs: number, done: () => void): void;
  /** Stops all that {@link end} would end, whatever it starts meanwhile. */
  freeze(mark: string, group: number): void;
  thaw(mark: string, group: number): void;
  members(mark: string, group: number): readonly number[];
}

export interface RunnerParts {
  /** A folder of the runners' own, 0700, such as `<agent's data>/work/modules`; made when it is needed. */
  readonly folder: string;
  /** The agent's data folder; plugins are in `plugins/` in it. */
  readonly data: string;
  readonly log: Log;
  readonly files: Files;
  readonly marks: Marks;
  readonly heat: Pick<HeatGroups, 'wrap' | 'take' | 'leave' | 'isUnified'>;
  /** Clean base of the environment of what is started: PATH, HOME, LANG, USER, TZ, TMPDIR; nothing of the agent's own. */
  readonly environment: Readonly<Record<string, string>>;
  /** Monotonic ms. */
  now(): number;
}
