/**
 * Who is next: submitters share slot-time by their weights (start-time fair queueing: Goyal, Vin and Cheng 1996), and
 * within one the best of its recipes that could go somewhere is next.
 *
 * A submitter is charged for what it is given by the time that is expected, and once it is over by the time that it took.
 * Who had nothing to send does not save up; who had something but no room for it does, a little (`lagMs`), so that one
 * that is confined to few nodes gets these before others that have the choice.
 */
import { laneBefore, newLane, type PlaceClass, type RecipeState, type Submitter } from './classes.ts';
import { Heap } from './heap.ts';

/** ms of all the cluster's slots that a submitter can be behind the others. */
const lagMs = 2000;
/** Submitters without recipes that are remembered, as they got more than their share. */
const idleMost = 10_000;

export class FairQueue {
  readonly #active = new Heap<Submitter>((a, b) => a.vtime < b.vtime || (a.vtime === b.vtime && a.order < b.order));
  readonly #submitters = new Map<string, Submitter>();
  #weights: ReadonlyMap<string, number> = new Map();
  /** Virtual time: that of the last who was served. */
  #now = 0;
  #order = 0;

  weigh(weights: ReadonlyMap<string, number>): void {
    this.#weights = new Map(weights);
    for (const by of this.#submitters.values()) by.weight = this.#weight(by.name);
  }

  /** The submitter of a new recipe. */
  join(name: string): Submitter {
    let by = this.#submitters.get(name);
    if (!by) {
      const [weight, ready] = [this.#weight(name), new Heap(laneBefore)];
      by = { heapAt: -1, name, order: this.#order++, weight, vtime: this.#now, ready, sendable: 0, recipes: 0 };
      this.#submitters.set(name, by);
    }
    by.recipes++;
    return by;
  }

  /** Its recipe is gone. Who got more than its share is remembered: a new recipe is no fresh start. */
  leave(by: Submitter): void {
    if (--by.recipes > 0) return;
    if (by.vtime <= this.#now) this.#submitters.delete(by.name);
    if (this.#submitters.size <= idleMost) return;
    for (const other of this.#submitters.values()) if (other.recipes === 0) this.#submitters.delete(other.name);
  }

  /** Has something to send, or is another one among equals now. */
  enter(recipe: RecipeState): void {
    const { by } = recipe;
    const to = recipe.own ?? recipe.shared;
    if (recipe.heapAt < 0 && by.sendable++ === 0) by.vtime = Math.max(by.vtime, this.#now);
    let lane = to.lanes.get(by);
    if (!lane) {
      lane = newLane(by);
      to.lanes.set(by, lane);
    }
    lane.recipes.put(recipe);
    if (to.blocked) return;
    by.ready.put(lane);
    this.#active.put(by);
  }

  leaveLane(recipe: RecipeState): void {
    if (recipe.heapAt < 0) return;
    const { by } = recipe;
    const from = recipe.own ?? recipe.shared;
    const lane = from.lanes.get(by);
    by.sendable--;
    if (!lane) return;
    lane.recipes.delete(recipe);
    if (lane.recipes.size > 0) {
      if (lane.heapAt >= 0) by.ready.put(lane);
      return;
    }
    from.lanes.delete(by);
    by.ready.delete(lane);
    if (by.ready.size === 0) this.#active.delete(by);
  }

  /** Nobody has room for it now. */
  block(placeClass: PlaceClass): void {
    placeClass.blocked = true;
    placeClass.gate.blocked.add(placeClass);
    for (const lane of placeClass.lanes.values()) {
      lane.by.ready.delete(lane);
      if (lane.by.ready.size === 0) this.#active.delete(lane.by);
    }
  }

  unblock(placeClass: PlaceClass): void {
    placeClass.blocked = false;
    placeClass.gate.blocked.delete(placeClass);
    for (const lane of placeClass.lanes.values()) {
      lane.by.ready.put(lane);
      this.#active.put(lane.by);
    }
  }

  /** Who is next, if there is room for it. `slots`: of all nodes. */
  next(slots: number): RecipeState | undefined {
    for (;;) {
      const by = this.#active.peek();
      if (!by) return undefined;
      const least = this.#now - lagMs * slots;
      if (by.vtime >= least) return by.ready.peek()?.recipes.peek();
      by.vtime = least;
      this.#active.put(by);
    }
  }

  /** It was served: given slot-ms that it is expected to take. */
  serve(by: Submitter, slotMs: number): void {
    this.#now = Math.max(this.#now, by.vtime);
    this.charge(by, slotMs);
  }

  /** Slot-ms more, or less than was thought. */
  charge(by: Submitter, slotMs: number): void {
    by.vtime += slotMs / by.weight;
    if (by.heapAt >= 0) this.#active.put(by);
  }

  #weight(name: string): number {
    const weight = this.#weights.get(name) ?? 1;
    return weight > 0 ? Math.min(1e6, Math.max(1e-3, weight)) : 1;
  }
}
