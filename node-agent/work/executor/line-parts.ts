/** What the executor's core is given, and what it keeps of each task and lane. */
import type { Timer } from '../../../shared/clock.ts';
import type { Recipe } from '../../../shared/schemas/work.ts';
import type { Ended, ExecutorTask } from '../executor.ts';
import type { Lane, Runner } from './runner.ts';
import type { Share } from './share.ts';
import type { HeldTuple } from './wire.ts';

export interface LineParts {
  /** Undefined: this node cannot run such a thing; the sentence says why. */
  runner(recipe: Recipe): Runner | string;
  /** None of its tasks is held any more. */
  forget(r: number): void;
  now(): number;
  after(ms: number, fn: () => void): Timer;
  started(token: number): void;
  ended(result: Ended): void;
  dropped(tokens: readonly number[]): void;
  checkpoint(token: number, base64: string): void;
  /** Of all lines of this node. */
  readonly share: Share;
  /** Whether nothing new may begin, since results wait that nobody takes. */
  full(): boolean;
}

/** A task that is held. */
export interface Entry {
  readonly task: ExecutorTask;
  readonly recipe: Recipe;
  lane?: OpenLane;
  /** Since when it runs; undefined: it does not yet. */
  began?: number;
  /** As of {@link Share.begin}; undefined: it is frozen. */
  share?: number | undefined;
  /** Its share until it was frozen last, ms. */
  shared?: number;
  /** It was frozen or slowed down: `began` was put off by what does not count. */
  slowed?: true;
  /** How often its worker was gone before it began. */
  returns?: number;
  /** Being ended. */
  stopping?: 'timeout' | 'kill';
}

export interface OpenLane {
  readonly recipe: Recipe;
  readonly runner: Runner;
  lane: Lane;
  /** In order; the first runs. */
  readonly holds: Entry[];
  /** Slots that it takes while it holds any. */
  cpus: number;
  timer?: Timer | undefined;
  /** Since when what runs in it is frozen. */
  frozen?: number | undefined;
}

/** As the agent is told of it; of what is being killed nothing. */
export function heldOf({ task, began, stopping, recipe }: Entry): HeldTuple[] {
  const held = [task.token, task.r, task.index, task.attempt, began === undefined ? 0 : 1] as const;
  return stopping === 'kill' ? [] : [recipe.heat ? [...held, 1] : held];
}
