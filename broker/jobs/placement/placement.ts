/**
 * Who of those that wait is next, and where: the queue says who (fair-queue.ts), policies say where (policies.ts), nodes
 * say how much (nodes.ts). Pure; nothing here knows tasks, only numbers of them.
 *
 * What makes one choice cheap with many nodes and many recipes: only nodes that may take more are looked at; a class of
 * recipes that finds no room is put aside until a node that lets it in says something (openings.ts); answers of gates are
 * kept.
 */
import type { NodeView } from '../core/events.ts';
import { Classes, type RecipeState } from './classes.ts';
import { explain, forgetBit } from './eligible.ts';
import { FairQueue } from './fair-queue.ts';
import { heated, heatFor, lasts } from './heat.ts';
import { type Fleet, Node } from './nodes.ts';
import { Openings } from './openings.ts';
import type { Placer, RecipeView, WhyNot } from './placer.ts';
import { another, choose } from './policies.ts';
import { type Back, rebalance } from './rebalance.ts';
import { expectedMs, type Kind, Kinds, learn } from './speeds.ts';

/** A node that was skipped is offered again after its next word so many ms later, whatever that word was. */
const skipMs = 1000;
/** Idle nodes are looked for at most so often, ms. */
const rebalanceMs = 10;

export class Placement implements Placer {
  readonly #nodes = new Map<string, Node>();
  readonly #recipes = new Map<number, RecipeState>();
  /** Those of class heat, urgent ones too. */
  readonly #ofHeat = new Set<RecipeState>();
  readonly #queue = new FairQueue();
  readonly #kinds = new Kinds();
  readonly #classes = new Classes(bit => this.#forgetBit(bit));
  readonly #openings = new Openings(this.#queue, this.#classes);
  #index = 0;
  #turn = 0;
  readonly #fleet: Fleet = { now: 0, slots: 0, fillingMs: 0, waiting: 0 };
  #rebalancedAt = Number.NEGATIVE_INFINITY;

  node(id: string, view: NodeView | undefined): void {
    const node = view ? this.#node(id) : this.#nodes.get(id);
    if (!node) return;
    if (node.see(view)) this.#newWord(node);
    if (!view) this.#offline(node);
    this.#openings.touch(node);
    this.#forgetNode(node);
  }

  room(id: string, slots: number, credits: number): void {
    const node = this.#node(id);
    if (!node.online || node.credits <= 0 || this.#fleet.now - node.wordAt >= skipMs) this.#newWord(node);
    this.#fleet.slots += slots - (node.online ? node.slots : 0);
    node.online = true;
    node.slots = slots;
    node.credits = credits;
    this.#openings.touch(node);
  }

  offline(id: string): void {
    const node = this.#nodes.get(id);
    if (!node) return;
    this.#offline(node);
    this.#openings.touch(node);
    this.#forgetNode(node);
  }

  recipe(view: RecipeView): void {
    const known = this.#recipes.get(view.r);
    if (!known) {
      const kind = this.#kinds.use(view.kind, view.needs);
      const [by, shared] = [this.#queue.join(view.by), this.#classes.join(view, kind)];
      const counts = { waiting: 0, inHand: 0, gone: false };
      const state: RecipeState = { heapAt: -1, view, by, kind, shared, own: undefined, ...counts };
      this.#recipes.set(view.r, state);
      if (view.heat) this.#ofHeat.add(state);
      return;
    }
    this.#queue.leaveLane(known);
    this.#rejoin(known);
    if ((view.heat ?? false) !== known.shared.heat) this.#reclass(known, view);
    known.view = view;
    if (known.gone) known.by = this.#queue.join(view.by);
    known.gone = false;
    this.#offer(known);
  }

  gone(r: number): void {
    const recipe = this.#recipes.get(r);
    if (!recipe || recipe.gone) return;
    this.#queue.leaveLane(recipe);
    this.#rejoin(recipe);
    recipe.gone = true;
    this.#await(recipe, 0);
    this.#queue.leave(recipe.by);
    if (recipe.inHand === 0) this.#drop(recipe);
  }

  waiting(r: number, n: number): void {
    const recipe = this.#recipes.get(r);
    if (!recipe || recipe.gone) return;
    const more = n > recipe.waiting;
    this.#await(recipe, n);
    if (more && recipe.own) {
      this.#queue.leaveLane(recipe);
      this.#rejoin(recipe);
    }
    this.#offer(recipe);
  }

  given(id: string, r: number, n: number): void {
    const recipe = this.#recipes.get(r);
    if (!recipe || n <= 0) return;
    const node = this.#node(id);
    if (node.handSlots === 0) node.progressAt = this.#fleet.now;
    this.#queue.serve(recipe.by, node.take(recipe, n));
    recipe.inHand += n;
    recipe.shared.cursor = node.index;
    if (recipe.own) recipe.own.cursor = node.index;
    node.promisedUntil = Number.NEGATIVE_INFINITY;
    this.#offer(recipe);
    this.#openings.touch(node);
  }

  left(id: string, r: number, n: number): void {
    const recipe = this.#recipes.get(r);
    const node = this.#nodes.get(id);
    if (!recipe || !node) return;
    const lost = node.lose(recipe, n);
    recipe.inHand -= lost.n;
    node.progressAt = this.#fleet.now;
    this.#queue.charge(recipe.by, -lost.charged);
    recipe.own?.skips?.delete(node);
    if (recipe.gone && recipe.inHand === 0) this.#drop(recipe);
    else this.#offer(recipe);
    this.#openings.touch(node);
    this.#forgetNode(node);
  }

  measured(id: string, r: number, ms: number, wh: number | undefined): void {
    const recipe = this.#recipes.get(r);
    const node = this.#nodes.get(id);
    if (!recipe || !node || !(ms >= 0 && ms < Number.POSITIVE_INFINITY)) return;
    const pair = node.pair(recipe.kind);
    learn(recipe.kind, node, pair, ms, wh);
    node.recount(recipe.kind);
    if (recipe.kind.samples === 1) this.#firstOf(recipe.kind);
    this.#queue.charge(recipe.by, ms * recipe.shared.cpus);
    this.#openings.touch(node);
  }

  next(now: number): { readonly node: string; readonly r: number; readonly n: number } | undefined {
    this.#fleet.now = now;
    this.#openings.wake();
    const open = this.#openings.nodes;
    while (open.length > 0) {
      const recipe = this.#queue.next(this.#fleet.slots);
      if (!recipe) return undefined;
      const choice = choose(open, recipe, this.#turn);
      if (choice) {
        this.#turn = choice.turn;
        return { node: choice.node.id, r: recipe.view.r, n: choice.n };
      }
      this.#openings.block(recipe.own ?? recipe.shared);
    }
    return undefined;
  }

  skip(id: string, r: number): void {
    const recipe = this.#recipes.get(r);
    const node = this.#nodes.get(id);
    if (!recipe || !node || recipe.gone) return;
    if (!recipe.own) {
      this.#queue.leaveLane(recipe);
      recipe.own = this.#classes.apart(recipe.shared);
      recipe.own.skips = new Map();
      this.#offer(recipe);
    }
    recipe.own.skips?.set(node, node.word);
  }

  other(r: number, except: ReadonlySet<string>, now: number): string | undefined {
    this.#fleet.now = now;
    const recipe = this.#recipes.get(r);
    if (!recipe || recipe.gone || recipe.inHand >= (recipe.view.maxParallel ?? Number.POSITIVE_INFINITY))
      return undefined;
    return another(this.#openings.nodes, recipe, except)?.id;
  }

  rebalance(now: number): readonly Back[] {
    this.#fleet.now = now;
    if (this.#openings.nodes.length === 0 || now - this.#rebalancedAt < rebalanceMs) return [];
    this.#rebalancedAt = now;
    return rebalance(this.#openings.nodes, this.#nodes.values(), now);
  }

  explain(view: RecipeView): readonly WhyNot[] {
    return explain(view, this.#nodes.values());
  }

  shares(weights: ReadonlyMap<string, number>): void {
    this.#queue.weigh(weights);
  }

  expected(id: string, r: number): number | undefined {
    const recipe = this.#recipes.get(r);
    const node = this.#nodes.get(id);
    return recipe && node ? expectedMs(recipe.kind, node) : undefined;
  }

  lasts(r: number, n: number): number | undefined {
    const recipe = this.#recipes.get(r);
    return recipe && lasts(this.#nodes.values(), recipe, n);
  }

  heated(r: number): boolean {
    const recipe = this.#recipes.get(r);
    return recipe !== undefined && heated(this.#nodes.values(), recipe);
  }

  heatFor(id: string): number {
    const node = this.#nodes.get(id);
    return node ? heatFor(node, this.#ofHeat) : 0;
  }

  #node(id: string): Node {
    let node = this.#nodes.get(id);
    if (!node) {
      node = new Node(id, this.#index++, this.#fleet);
      this.#nodes.set(id, node);
    }
    return node;
  }

  #offline(node: Node): void {
    if (node.online) this.#fleet.slots -= node.slots;
    node.online = false;
    node.slots = 0;
    node.credits = 0;
    this.#newWord(node);
  }

  /** Known no more, offline, and nothing of its work is left. */
  #forgetNode(node: Node): void {
    if (node.view || node.online || node.tasks > 0) return;
    this.#nodes.delete(node.id);
  }

  #newWord(node: Node): void {
    node.word++;
    node.wordAt = this.#fleet.now;
  }

  /** Of a kind that was never seen before something is known: other nodes' work is counted by that. */
  #firstOf(kind: Kind): void {
    for (const node of this.#nodes.values()) {
      if (!node.pairs.has(kind)) continue;
      node.recount(kind);
      this.#openings.touch(node);
    }
  }

  #await(recipe: RecipeState, n: number): void {
    this.#fleet.waiting += Math.max(0, n) - recipe.waiting;
    recipe.waiting = Math.max(0, n);
  }

  /** In a lane if it may be sent, and in none if not. */
  #offer(recipe: RecipeState): void {
    const may = recipe.waiting > 0 && recipe.inHand < (recipe.view.maxParallel ?? Number.POSITIVE_INFINITY);
    if (!may || recipe.gone) this.#queue.leaveLane(recipe);
    else if (recipe.heapAt < 0) this.#queue.enter(recipe);
  }

  /** It waits for heat no more; or, tried once more, again. */
  #reclass(recipe: RecipeState, view: RecipeView): void {
    for (const node of view.heat ? [] : this.#nodes.values()) if (node.urgent(recipe)) this.#openings.touch(node);
    this.#classes.leave(recipe.shared);
    recipe.shared = this.#classes.join(view, recipe.kind);
  }

  /** Out of its own class, if it had one. It is in no lane. */
  #rejoin(recipe: RecipeState): void {
    if (!recipe.own) return;
    this.#classes.leave(recipe.own);
    recipe.own = undefined;
  }

  #drop(recipe: RecipeState): void {
    this.#recipes.delete(recipe.view.r);
    this.#ofHeat.delete(recipe);
    this.#classes.leave(recipe.shared);
    const forgotten = this.#kinds.release(recipe.kind);
    if (forgotten) for (const node of this.#nodes.values()) node.pairs.delete(forgotten);
  }

  /** A new gate has this position: what nodes answered to an earlier one is void. */
  #forgetBit(bit: number): void {
    forgetBit(bit, this.#nodes.values());
  }
}
