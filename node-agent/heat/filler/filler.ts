/** What runs when no job wants to: a service of the node, BOINC, or any command. */
import type { Filler } from '../../../shared/schemas/room.ts';

export interface FillerRun {
  /** It may use so many cores from now on. 0: it is frozen, or told to pause. Called each second while heat is asked for. */
  set(cores: number): void;
  /** Processor time that it used so far, ms; undefined where nobody counts. */
  usedMs(): number | undefined;
  /** What the watchdog does to it at the end of a lease, as scripts.ts says. */
  held(): readonly string[];
  /** Why it does not do what it is for, one sentence; empty where it does. */
  readonly error: string;
  /** It is the filler no more: ended, or released. */
  end(done: () => void): void;
  /** The agent goes; what runs stays as it is. */
  close(): void;
}

export const isSameFiller = (one: Filler | undefined, other: Filler | undefined): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

/** Lines for the watchdog, from what a dimmed unit is frozen with. */
export function heldOf({
  freezing,
  processes = [],
}: {
  readonly freezing?: { readonly path: string; readonly text: string };
  readonly processes?: readonly { readonly pid: number; readonly start: number }[];
}): readonly string[] {
  if (freezing) return [`write ${freezing.text} ${freezing.path}`];
  return processes.map(({ pid, start }) => `stop ${start} ${pid}`);
}
