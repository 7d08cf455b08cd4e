/**
 * Nodes that may take more, and classes of recipes for which none of them has room. A class that was put aside is looked
 * at again when a node that lets it in says something; nothing else could make room for it.
 */
import { type Classes, goesBefore, type PlaceClass, type RecipeState } from './classes.ts';
import { allows, grown } from './eligible.ts';
import type { FairQueue } from './fair-queue.ts';
import type { Node } from './nodes.ts';
import { isSkipped } from './policies.ts';

export class Openings {
  readonly #open: Node[] = [];
  /** Those that said something since the last look. */
  readonly #touched = new Set<Node>();
  /** Bit by gate that has blocked classes; cleared when it is found to have none. */
  #blocked = new Uint32Array(1);
  readonly #queue: FairQueue;
  readonly #classes: Classes;

  constructor(queue: FairQueue, classes: Classes) {
    this.#queue = queue;
    this.#classes = classes;
  }

  get nodes(): readonly Node[] {
    return this.#open;
  }

  /** Something of the node has changed: it is open now, or not. */
  touch(node: Node): void {
    if (node.isOpen()) {
      if (node.openAt < 0) node.openAt = this.#open.push(node) - 1;
      this.#touched.add(node);
      return;
    }
    this.#touched.delete(node);
    if (node.openAt < 0) return;
    const last = this.#open.pop() as Node;
    if (last !== node) {
      this.#open[node.openAt] = last;
      last.openAt = node.openAt;
    }
    node.openAt = -1;
  }

  /** Nobody has room for it. */
  block(placeClass: PlaceClass): void {
    this.#queue.block(placeClass);
    const { bit } = placeClass.gate;
    const word = bit >>> 5;
    if (word >= this.#blocked.length) this.#blocked = grown(this.#blocked, word);
    this.#blocked[word] = (this.#blocked[word] ?? 0) | (1 << (bit & 31));
  }

  /**
   * Of blocked classes for which there is room now those that are next are blocked no more. A node that many could use is
   * looked at again with the next choice: it will not have room for all of them, and to put them aside again costs more.
   */
  wake(): void {
    for (const node of this.#touched) {
      const found = new Foremost();
      this.#roomOn(node, found);
      for (const { placeClass } of found.all) this.#queue.unblock(placeClass);
      if (!found.more) this.#touched.delete(node);
    }
  }

  #roomOn(node: Node, found: Foremost): void {
    for (let word = 0; word < this.#blocked.length; word++) {
      let bits = (this.#blocked[word] ?? 0) & ~(node.no[word] ?? 0);
      while (bits !== 0) {
        const low = bits & -bits;
        bits ^= low;
        const gate = this.#classes.gate(word * 32 + 31 - Math.clz32(low));
        if (!gate || gate.blocked.size === 0) this.#blocked[word] = (this.#blocked[word] ?? 0) & ~low;
        else if (allows(gate, node)) {
          for (const placeClass of gate.blocked) {
            if (isSkipped(placeClass, node) || node.room(placeClass) < 1) continue;
            const first = firstOf(placeClass);
            if (first) found.add(placeClass, first);
            else this.#queue.unblock(placeClass);
          }
        }
      }
    }
  }
}

/** The recipe of the class that is next. */
function firstOf({ lanes }: PlaceClass): RecipeState | undefined {
  let first: RecipeState | undefined;
  for (const { recipes } of lanes.values()) {
    const recipe = recipes.peek();
    if (recipe && (!first || isNext(recipe, first))) first = recipe;
  }
  return first;
}

const isNext = (a: RecipeState, b: RecipeState): boolean =>
  a.by === b.by ? goesBefore(a, b) : a.by.vtime < b.by.vtime || (a.by.vtime === b.by.vtime && a.by.order < b.by.order);

/** The few that are next, of many. */
class Foremost {
  static readonly most = 16;
  readonly all: { readonly placeClass: PlaceClass; readonly first: RecipeState }[] = [];
  /** There were more. */
  more = false;

  add(placeClass: PlaceClass, first: RecipeState): void {
    let at = this.all.length;
    if (at === Foremost.most) {
      this.more = true;
      if (!isNext(first, (this.all[at - 1] as { readonly first: RecipeState }).first)) return;
      this.all.pop();
      at--;
    }
    while (at > 0 && isNext(first, (this.all[at - 1] as { readonly first: RecipeState }).first)) at--;
    this.all.splice(at, 0, { placeClass, first });
  }
}
