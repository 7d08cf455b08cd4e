/** What an agent asks of its part in jobs. The executor, the outbox and what is said of them are behind it. */
import type { Want } from '../../shared/schemas/want.ts';
import type { Allegiance } from '../session/orders.ts';
import type { Executor } from './executor.ts';

export interface WorkSession {
  readonly inst: string;
  readonly epoch: number;
}

export interface HeatTasks {
  readonly running: number;
  readonly waiting: number;
}

export interface WorkHandlers {
  /** A report, on the node's `done`. False: it cannot go now. */
  publish(text: string): boolean;
  /** What `plugins`, `can` or `error` say may be other than before. */
  changed(): void;
  /** `heatTasks` are others. Absent: nobody wants to know. */
  heat?(tasks: HeatTasks): void;
}

/** What the node's document says of jobs; undefined before it is known. */
export type WantedJobs = Want['jobs'];

/** Whose word counts, when a message of it has to be judged. */
export interface WorkTrust {
  readonly allegiance: Allegiance;
  /** Generation obeyed. */
  readonly gen: number;
}

export interface WorkSide {
  /** Looks for what an earlier agent left. */
  start(handlers: WorkHandlers): void;
  /** @param closed nothing new is taken: the node is drained, in safe mode, or nobody said yet what it is to do. */
  configure(jobs: WantedJobs, closed: boolean): void;
  /** Announced in this session; called again in the same one, somebody has asked who is there. */
  up(session: WorkSession): void;
  down(): void;
  /** A message on `work`. */
  take(payload: Uint8Array, trust: WorkTrust): void;
  /**
   * How far tasks of class `heat` may run: so many at a time, those above are frozen and not ended; nothing said means none.
   * @param groups cgroup folders that their processes belong into; empty where there are none.
   */
  heat(most: number, groups: readonly string[]): void;
  /** Tasks of class `heat` in its hands: begun, whether frozen or not, and not begun. */
  readonly heatTasks: HeatTasks;
  /** Tasks that run. */
  readonly running: number;
  /** Names, in order. */
  readonly plugins: readonly string[];
  /** For `caps`. */
  readonly can: readonly string[];
  /** Why nothing more is taken; empty where there is nothing wrong. */
  readonly error: string;
  /** The node leaves its cluster: its tasks end, its results are thrown away. */
  forget(done: () => void): void;
  /** The agent ends. `keep`: tasks go on, and the next agent finds them. */
  close(keep: boolean, done: () => void): void;
}

export type WorkSettings = Parameters<Executor['configure']>[0];

/** @param cores the machine's: so many tasks at a time where nobody says otherwise. */
export const settingsOf = (jobs: WantedJobs, cores: number): WorkSettings => ({
  slots: jobs?.slots ?? cores,
  inline: jobs?.inline ?? false,
  scripts: jobs?.scripts ?? false,
  plugins: jobs?.plugins ?? {},
});

export const canOf = ({ slots, inline }: WorkSettings): readonly string[] =>
  slots === 0 ? [] : inline ? ['jobs', 'inline'] : ['jobs'];
