/** Where the function of a recipe comes from, and how a process for it is started. */
import type { Failure, Recipe } from '../../../../shared/schemas/work.ts';
import type { RunnerParts } from '../runner.ts';
import type { Launch } from './launch.ts';
import type { Setup } from './wire.ts';

export interface Ready {
  /** Workers with the same key are the same: module, version, memory; never across what must not share a process. */
  readonly key: string;
  /** Of what can change while a lane is open. */
  readonly version?: string;
  readonly setup: Setup;
  /** For one process; called for each, in the same turn in which this was given. */
  launch(): Launch;
}

export interface NotReady {
  readonly why: Failure;
  readonly err: string;
}

export interface Source {
  /** `done` exactly once, later. */
  find(recipe: Recipe, done: (ready: Ready | NotReady) => void): void;
  /** Another version than before is there: what was found is to be asked for again. Cheap. */
  isOld?(recipe: Recipe, ready: Ready): boolean;
}

/** The same for tasks of class `heat`: processes of their own, in its groups. */
export const heated = (ready: Ready, groups: RunnerParts['heat']): Ready => ({
  ...ready,
  key: `heat ${ready.key}`,
  launch() {
    const launch = ready.launch();
    return { ...launch, argv: groups.wrap(launch.argv) };
  },
});

export const isReady = (found: Ready | NotReady): found is Ready => 'key' in found;
