/** What the package table asks of the machine: programs to run, and files to look at. Behind a seam, so that tests bring their own. */
import type { RunCommand } from './talk.ts';

export interface PackageMachine {
  readonly root: boolean;
  /** A program of this name is there to be run. */
  has(program: string): boolean;
  readonly run: RunCommand;
  /** Of a file or folder: other after every change of it. `""` where there is none. */
  stamp(path: string): string;
  /** Milliseconds since it was last changed; undefined where there is none. */
  age(path: string): number | undefined;
  /**
   * Tells, a moment after, that one of these may have changed: from file events, and by a look every now and then for
   * those that cannot be watched.
   */
  watch(paths: readonly string[], changed: () => void): { close(): void };
}
