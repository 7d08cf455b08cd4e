/** What a service waits for, and what it needs, as it is at the moment. Pure; relations.ts asks. */
import { printable } from '../../../shared/names.ts';
import { pathOf, servicesBefore } from '../../../shared/needs.ts';
import type { Service } from '../../../shared/schemas/service.ts';

/** `ok`: as wanted and there; `pending`: not yet, it is being made so; `failed`: not as wanted, and nobody knows until when. */
export type Standing = 'ok' | 'pending' | 'failed';

/** The other kinds of items as services see them, by path such as `files/app`. */
export interface ItemStates {
  /**
   * Undefined: the node's document has no such item. One that the document has is known here, as `pending`, before the
   * services hear of that document.
   */
  stateOf(path: string): Standing | undefined;
  /**
   * A short text that is another when the thing is another: a file's hash, a package's version. The same after a restart
   * of the agent, or services that need the item are restarted then. Undefined: not known, which is never a change.
   */
  markOf(path: string): string | undefined;
}

/** One item that keeps a service from starting. */
export interface Missing {
  readonly path: string;
  readonly why: 'pending' | 'failed' | 'absent';
}

export interface Around {
  /** The first needed item that is not `ok`. */
  readonly needs?: Missing;
  /** The first item to start after that is not attempted yet. */
  readonly after?: Missing;
  /** Services that wait for each other, this one among them: between them there is no order. */
  readonly circle?: readonly string[];
  /** Needed packages and files that are `ok` -> their mark. */
  readonly marks: Readonly<Record<string, string>>;
}

/** Whether a service waits for anything at all. */
export const waitsForOthers = (spec: Service | undefined): boolean =>
  spec !== undefined && ((spec.after?.length ?? 0) > 0 || (spec.needs?.length ?? 0) > 0);

export function aroundOf(spec: Service, states: ItemStates, circle: readonly string[] | undefined): Around {
  const inCircle = new Set(circle?.map(name => `services/${name}`));
  const paths = (names: readonly string[] | undefined) => (names ?? []).map(pathOf).filter(path => !inCircle.has(path));
  const marks: Record<string, string> = {};
  let needs: Missing | undefined;
  for (const path of paths(spec.needs)) {
    const state = states.stateOf(path);
    if (state !== 'ok') needs ??= { path, why: state ?? 'absent' };
    else {
      const mark = path.startsWith('services/') ? undefined : states.markOf(path);
      if (mark !== undefined) marks[path] = mark;
    }
  }
  const pending = paths(spec.after).find(path => states.stateOf(path) === 'pending');
  const mine = servicesBefore(spec).some(name => inCircle.has(`services/${name}`));
  return {
    ...(needs ? { needs } : {}),
    ...(pending === undefined ? {} : { after: { path: pending, why: 'pending' as const } }),
    ...(circle && mine ? { circle } : {}),
    marks,
  };
}

const reasons = {
  pending: 'which is not there yet',
  failed: 'which failed',
  absent: "which is not in this node's document",
} as const;

export const waitingSentence = ({ path, why }: Missing): string => `waits for ${printable(path, 100)}, ${reasons[why]}`;

export const circleSentence = (circle: readonly string[]): string =>
  circle.length === 1
    ? 'waits for itself: take it out of its own "after" and "needs"'
    : `waits for itself, in a circle of ${circle.slice(0, 5).join(', ')}${circle.length > 5 ? '…' : ''}: take one of these out of another's "after" and "needs"`;
