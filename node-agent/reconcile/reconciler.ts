/**
 * What the agent asks of its reconciler: make the machine what the document says, and say what is. The implementation
 * wires the pure planner and the service core to a {@link Host}.
 */

import type { ItemKindName } from '../../shared/schemas/item.ts';
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import type { Want } from '../../shared/schemas/want.ts';
import type { Dimmed } from './host.ts';

/** The part of a `want` that the reconciler obeys. A kind that is not there has no items. */
export type Document = Readonly<Pick<Want, 'rev' | 'services'>> &
  Readonly<Partial<Pick<Want, Exclude<ItemKindName, 'services'> | 'conflicts' | 'agent'>>>;

/** What the reconciler obeys of a want: not whose it is, nor what is said about the machine. */
export const documentOf = ({ rev, packages, files, services, checks, conflicts, agent }: Want): Document => ({
  ...{ rev, packages, files, services, checks, conflicts },
  ...(agent === undefined ? {} : { agent }),
});

export interface ReconcilerHandlers {
  /** Something on `items()` or `attempted()` changed; called at most once per turn of the loop. */
  changed(): void;
  /** New output lines of a followed service. */
  output(service: string, lines: readonly string[]): void;
  /** Worth a line in the agent's log: a crash loop began, a unit was adopted. On `event` the supervisor says what `is` tells. */
  notice(level: 'info' | 'warn' | 'error', kind: string, text: string): void;
}

/** What of a service's output up to now is wanted. */
export interface OutputBefore {
  /** So many lines; absent: a few, where nobody follows it yet. */
  readonly lines?: number;
  /** Gets them, before `done`; absent: they come as output. */
  readonly take?: (lines: readonly string[]) => void;
}

export interface ReconcilerApi {
  /** Adopts what runs, then makes it so: `document` is the last one known, undefined on a new node (touch nothing). */
  start(document: Document | undefined, handlers: ReconcilerHandlers): void;
  /** A new document. Replaces the one before whole; every step of it will be attempted. */
  apply(document: Document): void;
  /** The last revision whose every step was attempted, and the first error of that attempt (`""` for none). */
  attempted(): { readonly rev: number; readonly err: string };
  /** Keyed by path, such as `services/<name>`. */
  items(): Readonly<Record<string, ItemStatus>>;
  restart(service: string, done: (error?: string) => void): void;
  /** Sends output of the service for `ms`; called again it renews. 0: only what is asked for of before. */
  follow(service: string, ms: number, done: (error?: string) => void, before?: OutputBefore): void;
  /** So many cores for a service of this node until told otherwise: 0 is frozen, undefined as it likes. */
  dim(service: string, cores: number | undefined): Dimmed;
  /** Stops every service, for `--stop-services` and `do/forget`. */
  stopAll(done: () => void): void;
  /** Lets go; services keep running. */
  close(): void;
}
