/**
 * How long tasks take: an average per kind and node that forgets (EWMA), from what ended. Where a kind was never on a
 * node, the kind's own length times the node's pace: how much longer than others it takes for what it did so far.
 */

/** ms: what a task costs a node around its own time, message, start and report; so that work in hand stays bounded. */
export const overheadMs = 0.25;
/** Kinds that recipes have now: further ones are measured together. And those that are remembered after that. */
const mostKinds = 200;
const idleKinds = 200;
/** Samples after which an average forgets. */
const memory = { pair: 20, kind: 50, pace: 20 } as const;
const paceMost = 50;

/** Of one kind on one node. */
export interface Pair {
  /** ms of one task, once there are samples. */
  ms: number;
  samples: number;
  /** Wh of one task, once there are samples with energy. */
  wh: number;
  whSamples: number;
  /** In the node's hands now: tasks, and slots of them. */
  tasks: number;
  slots: number;
  /** ms with which these are counted at the moment. */
  counted: number;
}

export interface Kind {
  readonly name: string;
  /** ms of one task on a node of pace 1. */
  ms: number;
  samples: number;
  recipes: number;
}

/** The part of a node that knows its speed. */
export interface Paced {
  readonly pairs: Map<Kind, Pair>;
  pace: number;
  paceSamples: number;
}

export const newPair = (): Pair => ({ ms: 0, samples: 0, wh: 0, whSamples: 0, tasks: 0, slots: 0, counted: 0 });

const average = (old: number, sample: number, samples: number, most: number): number =>
  old + (sample - old) / Math.min(samples, most);

/** Expected ms of a task's own time; undefined: the kind was never measured anywhere. */
export function expectedMs(kind: Kind, node: Paced): number | undefined {
  const pair = node.pairs.get(kind);
  if (pair && pair.samples > 0) return pair.ms;
  return kind.samples > 0 ? kind.ms * node.pace : undefined;
}

/** One task of the kind took so long on the node, ms. */
export function learn(kind: Kind, node: Paced, pair: Pair, ms: number, wh: number | undefined): void {
  pair.ms = average(pair.ms, ms, ++pair.samples, memory.pair);
  if (wh !== undefined && wh >= 0) pair.wh = average(pair.wh, wh, ++pair.whSamples, memory.pair);
  kind.ms = average(kind.ms, ms / node.pace, ++kind.samples, memory.kind);
  // What takes next to no time says nothing of a node's pace.
  if (kind.ms < 1) return;
  const pace = Math.min(paceMost, Math.max(1 / paceMost, pair.ms / kind.ms));
  node.pace = average(node.pace, pace, ++node.paceSamples, memory.pace);
}

/** Kinds by name; those of no recipe are forgotten in the order in which they were used last. */
export class Kinds {
  readonly #kinds = new Map<string, Kind>();
  readonly #idle = new Set<Kind>();

  use(wanted: string, others: string): Kind {
    const isFull = this.#kinds.size - this.#idle.size >= mostKinds;
    const name = isFull && !this.#kinds.has(wanted) ? `${others}:` : wanted;
    let kind = this.#kinds.get(name);
    if (!kind) {
      kind = { name, ms: 0, samples: 0, recipes: 0 };
      this.#kinds.set(name, kind);
    }
    kind.recipes++;
    this.#idle.delete(kind);
    return kind;
  }

  /** @returns the kind that is forgotten by that. */
  release(kind: Kind): Kind | undefined {
    if (--kind.recipes > 0) return undefined;
    this.#idle.add(kind);
    if (this.#idle.size <= idleKinds) return undefined;
    const [oldest] = this.#idle;
    if (!oldest) return undefined;
    this.#idle.delete(oldest);
    this.#kinds.delete(oldest.name);
    return oldest;
  }
}
