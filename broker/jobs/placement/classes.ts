/**
 * What waits is grouped, so that nothing is looked at twice: recipes that may go to the same nodes share a gate, those
 * that find the same room there share a class, and those of one submitter in one class stand in one lane.
 */
import { compileWhere, type Where } from '../../../shared/jobs/where.ts';
import type { Policy } from '../../../shared/schemas/job.ts';
import { Heap, type Heaped } from './heap.ts';
import type { Node } from './nodes.ts';
import type { RecipeView } from './placer.ts';
import type { Kind } from './speeds.ts';

/** Which nodes may, whatever they have to do at the moment. */
export interface Gate {
  readonly key: string;
  /** Position in the nodes' tables of answers. */
  readonly bit: number;
  /** A text that is no expression lets nobody in. */
  readonly where: Where | { readonly error: string } | undefined;
  readonly needs: RecipeView['needs'];
  readonly plugin: string | undefined;
  classes: number;
  /** Classes for which there is no room at the moment. */
  readonly blocked: Set<PlaceClass>;
}

export interface PlaceClass {
  /** Absent: of one recipe alone, which was skipped somewhere. */
  readonly key: string | undefined;
  readonly gate: Gate;
  readonly cpus: number;
  readonly memMb: number;
  readonly policy: Policy;
  readonly kind: Kind;
  /** Waits for heat. */
  readonly heat: boolean;
  recipes: number;
  blocked: boolean;
  readonly lanes: Map<Submitter, Lane>;
  /** Nodes that took nothing, and which word of theirs that was. */
  skips: Map<Node, number> | undefined;
  /** Index of the node that got something last. */
  cursor: number;
}

/** One submitter's recipes of one class that have something to send; the first is the next. */
export interface Lane extends Heaped {
  readonly by: Submitter;
  readonly recipes: Heap<RecipeState>;
}

export interface Submitter extends Heaped {
  readonly name: string;
  readonly order: number;
  weight: number;
  /** Slot-ms that it got, by its weight: who got least is next. */
  vtime: number;
  /** Lanes that are not blocked. */
  readonly ready: Heap<Lane>;
  /** Recipes with something to send. */
  sendable: number;
  /** All of its recipes. */
  recipes: number;
}

export interface RecipeState extends Heaped {
  view: RecipeView;
  by: Submitter;
  readonly kind: Kind;
  shared: PlaceClass;
  /** While it is skipped somewhere. */
  own: PlaceClass | undefined;
  waiting: number;
  inHand: number;
  gone: boolean;
}

/** Priority, then deadline, then who came first. */
export function goesBefore(a: RecipeState, b: RecipeState): boolean {
  const one = a.view;
  const other = b.view;
  if (one.priority !== other.priority) return one.priority > other.priority;
  const due = (one.deadline ?? Number.POSITIVE_INFINITY) - (other.deadline ?? Number.POSITIVE_INFINITY);
  // Infinity less infinity is no number: neither has a deadline.
  if (due < 0 || due > 0) return due < 0;
  return one.order !== other.order ? one.order < other.order : one.r < other.r;
}

/** Gates and classes that recipes have now. */
export class Classes {
  readonly #gates = new Map<string, Gate>();
  readonly #classes = new Map<string, PlaceClass>();
  readonly #freeBits: number[] = [];
  readonly #byBit: (Gate | undefined)[] = [];
  /** A gate has this position from now on: what was known of an earlier one is void. */
  readonly #renewed: (bit: number) => void;

  constructor(renewed: (bit: number) => void) {
    this.#renewed = renewed;
  }

  /** The gate at that position. */
  gate(bit: number): Gate | undefined {
    return this.#byBit[bit];
  }

  join(view: RecipeView, kind: Kind): PlaceClass {
    const { where = '', needs, plugin = '', cpus, memMb = 0, policy, heat = false } = view;
    const gateKey = JSON.stringify([needs, plugin, where]);
    const key = JSON.stringify([cpus, memMb, policy, kind.name, heat, gateKey]);
    let found = this.#classes.get(key);
    if (!found) {
      const gate = this.#gates.get(gateKey) ?? this.#newGate(gateKey, view);
      found = newClass({ key, gate, cpus, memMb, policy, kind, heat });
      gate.classes++;
      this.#classes.set(key, found);
    }
    found.recipes++;
    return found;
  }

  leave(placeClass: PlaceClass): void {
    if (--placeClass.recipes > 0) return;
    const { gate, key } = placeClass;
    if (key !== undefined) this.#classes.delete(key);
    gate.blocked.delete(placeClass);
    if (--gate.classes > 0) return;
    this.#gates.delete(gate.key);
    this.#byBit[gate.bit] = undefined;
    this.#freeBits.push(gate.bit);
  }

  /** A class for one recipe alone. */
  apart(from: PlaceClass): PlaceClass {
    from.gate.classes++;
    const own = newClass({ ...from, key: undefined });
    own.recipes = 1;
    own.cursor = from.cursor;
    return own;
  }

  #newGate(key: string, { where, needs, plugin }: RecipeView): Gate {
    const bit = this.#freeBits.pop() ?? this.#byBit.length;
    const gate: Gate = { key, bit, where: compiled(where), needs, plugin, classes: 0, blocked: new Set() };
    this.#byBit[bit] = gate;
    this.#gates.set(key, gate);
    this.#renewed(bit);
    return gate;
  }
}

export function compiled(where: string | undefined): Gate['where'] {
  if (where === undefined || where.trim() === '') return undefined;
  const result = compileWhere(where);
  return result.ok ? result.value : { error: `"where" is not understood: ${result.error.message}` };
}

function newClass(of: Pick<PlaceClass, 'key' | 'gate' | 'cpus' | 'memMb' | 'policy' | 'kind' | 'heat'>): PlaceClass {
  const { key, gate, cpus, memMb, policy, kind, heat } = of;
  const lanes = new Map<Submitter, Lane>();
  return {
    ...{ key, gate, cpus, memMb, policy, kind, heat, lanes },
    ...{ recipes: 0, blocked: false, skips: undefined, cursor: -1 },
  };
}

export const newLane = (by: Submitter): Lane => ({ heapAt: -1, by, recipes: new Heap(goesBefore) });

/** Lanes by their first recipe; only lanes that have one are in a heap. */
export const laneBefore = (a: Lane, b: Lane): boolean =>
  goesBefore(a.recipes.peek() as RecipeState, b.recipes.peek() as RecipeState);
