/** What placement keeps of a node: what it is, what it holds, and what more it could take now. */
import type { NodeView } from '../core/events.ts';
import type { PlaceClass, RecipeState } from './classes.ts';
import { expectedMs, type Kind, newPair, overheadMs, type Pair } from './speeds.ts';

/** Work in hand that a node is filled up to, per slot, ms. */
const fillMs = 300;
/** It gets more when it has no more than this in hand, ms, or a free slot. */
const lowMs = 250;
/** A node that was too hot must be so much cooler, K. */
const coolerBy = 3;
/** Where little waits a node gets its part of it, and this, ms. */
const leastMs = 50;
/** Tasks in hand grow by so many for each that came back, where a kind is new to a node. */
const growth = 4;

/** Tasks of one recipe in a node's hands. */
export interface Hold {
  readonly recipe: RecipeState;
  n: number;
  /** Slot-ms that its submitter was charged for them. */
  charged: number;
  /** Of them asked to be given back, and until when an answer is awaited. */
  asked: number;
  askedUntil: number;
}

/** What all nodes have in common. */
export interface Fleet {
  /** Monotonic ms, as far as placement was told. */
  now: number;
  /** Slots of all nodes that are online. */
  slots: number;
  /** Sum of what nodes have in hand, ms. */
  fillingMs: number;
  /** Tasks that wait. */
  waiting: number;
}

export class Node {
  readonly id: string;
  readonly index: number;
  readonly #fleet: Fleet;
  view: NodeView | undefined;
  online = false;
  slots = 0;
  credits = 0;
  hot = false;
  readonly holds = new Map<RecipeState, Hold>();
  readonly pairs = new Map<Kind, Pair>();
  pace = 1;
  paceSamples = 0;
  /** Slots that tasks of class heat may use, and those that they take of them: these leave the others' slots alone. */
  heat = 0;
  heatSlots = 0;
  tasks = 0;
  /** Slots of all tasks in hand: more than it has, where some wait. */
  handSlots = 0;
  /** ms of all of them, one after the other; and with no task counted for more than what a node is filled up to. */
  handMs = 0;
  fillingMs = 0;
  /** CPU of the machine, 0 to 1, that others than our tasks take. */
  others = 0;
  /** Most slots in hand since the last telemetry. */
  #busiest = 0;
  #memCap: number | undefined;
  #memHand = 0;
  #memMost = 0;
  /** Changes with every word of the node that could end a skip. */
  word = 0;
  wordAt = Number.NEGATIVE_INFINITY;
  /** When something it held was over last, or it got something with nothing in hand. */
  progressAt = 0;
  /** Others were asked to give work back for it: not asked again before. */
  promisedUntil = Number.NEGATIVE_INFINITY;
  /** Among the open ones, or -1. */
  openAt = -1;
  /** Bit by gate: known to let it in, known not to. */
  yes = new Uint32Array(1);
  no = new Uint32Array(1);

  constructor(id: string, index: number, fleet: Fleet) {
    this.id = id;
    this.index = index;
    this.#fleet = fleet;
  }

  /** @returns whether something changed that gates ask for. */
  see(view: NodeView | undefined): boolean {
    const before = this.view;
    this.view = view;
    if (!view) return true;
    const cold = this.heat === 0;
    this.heat = view.heat ?? 0;
    const { temp_c: temp, cpu_pct: cpu, mem_free_mb: free } = view.load;
    if (temp !== undefined) this.hot = temp >= view.maxTempC - (this.hot ? coolerBy : 0);
    // A hot node whose sensor is gone stays hot: nobody knows better.
    if (free !== undefined) {
      const known = this.#memCap ?? free;
      this.#memCap = this.#memHand === 0 ? free : Math.max(free, Math.min(known, free + this.#memHand));
    }
    if (cpu !== undefined) {
      // What is heated with gives way to every task.
      const ours = Math.min(Math.max(this.#busiest, this.heat), this.slots) / Math.max(1, this.#cores());
      this.others = Math.min(1, Math.max(0, cpu / 100 - ours));
      this.#busiest = this.handSlots;
    }
    const changed = !before || !sameGround(before, view);
    if (changed) {
      this.yes.fill(0);
      this.no.fill(0);
    }
    return changed || before.closed !== view.closed || cold !== (this.heat === 0);
  }

  /** Takes part at all, and may take more of something. */
  isOpen(): boolean {
    if (!this.online || !this.view || this.view.closed !== undefined || this.hot) return false;
    if (this.slots <= 0 || this.credits <= 0) return false;
    return this.handSlots < this.slots || this.fillingMs <= lowMs * this.slots;
  }

  /** A slot is free for it. */
  hasFree(cpus: number): boolean {
    return this.handSlots + cpus <= this.slots;
  }

  /** Nothing was over for much longer than expected: something hangs, and more would wait behind it. */
  #isSilent(): boolean {
    return this.handSlots > 0 && this.#fleet.now - this.progressAt > lowMs + (2 * this.handMs) / this.slots;
  }

  /** Work that all would have in hand if what waits were given out, ms per slot: near the end nobody gets more than that. */
  #level(ms: number): number {
    const { fillingMs, waiting, slots } = this.#fleet;
    return Math.max(leastMs, (fillingMs + waiting * (ms + overheadMs)) / slots);
  }

  /** Tasks of the class that it could take now; gates are not asked. */
  room({ cpus, memMb, kind, heat }: PlaceClass): number {
    if (cpus > this.slots || cpus > this.credits) return 0;
    if (heat) return this.#heatRoom(cpus, memMb, kind);
    const free = this.handSlots < this.slots ? Math.floor((this.slots - this.handSlots) / cpus) : 0;
    let n = free;
    const expected = expectedMs(kind, this);
    if (expected !== undefined && this.fillingMs <= lowMs * this.slots && !this.#isSilent()) {
      const ms = expected + overheadMs;
      const level = this.#level(kind.ms * cpus);
      let byTime = ms > fillMs ? 0 : Math.floor((Math.min(fillMs, level) * this.slots - this.fillingMs) / (ms * cpus));
      if (byTime < 1 && ms <= lowMs && level - this.fillingMs / this.slots >= ms) byTime = 1;
      if (byTime > free) {
        const pair = this.pairs.get(kind);
        const trusted = Math.floor(this.slots / cpus) + growth * (pair?.samples ?? 0) - (pair?.tasks ?? 0);
        n = Math.max(free, Math.min(byTime, trusted));
      }
    }
    return Math.min(n, Math.floor(this.credits / cpus), memMb > 0 ? this.#memoryFor(memMb) : n);
  }

  /** As many as heat is asked for beside the others' tasks; of short ones as many as these slots do in a while. */
  #heatRoom(cpus: number, memMb: number, kind: Kind): number {
    const slots = Math.min(this.heat, this.slots) - this.handSlots;
    if (slots < cpus) return 0;
    const ms = expectedMs(kind, this);
    const each = ms === undefined ? fillMs : Math.min(fillMs, ms + overheadMs);
    const n = Math.floor(((slots * fillMs) / each - this.heatSlots) / cpus);
    const known = Math.floor(slots / cpus) + growth * (this.pairs.get(kind)?.samples ?? 0);
    const most = Math.min(n, known, Math.floor(this.credits / cpus));
    return Math.max(0, memMb > 0 ? Math.min(most, this.#memoryFor(memMb)) : most);
  }

  /** Memory it has for tasks, MB; undefined: unknown. */
  memory(): number | undefined {
    if (this.#memCap !== undefined) return this.#memCap;
    const total = this.view?.facts.mem_mb;
    return typeof total === 'number' ? total : undefined;
  }

  /** Tasks in hand but not running take no memory: where all slots fit, it is no limit. */
  #memoryFor(memMb: number): number {
    const cap = this.memory();
    if (cap === undefined) return Number.POSITIVE_INFINITY;
    if (memMb > cap) return 0;
    if (this.slots * Math.max(memMb, this.#memMost) <= cap) return Number.POSITIVE_INFINITY;
    return Math.max(0, Math.floor((cap - this.#memHand) / memMb));
  }

  /** n more of it. @returns slot-ms that they are expected to take. */
  take(recipe: RecipeState, n: number): number {
    const { cpus, memMb, kind, heat } = recipe.shared;
    const pair = this.pair(kind);
    const ms = expectedMs(kind, this);
    this.recount(kind);
    this.tasks += n;
    pair.tasks += n;
    if (heat) this.heatSlots += n * cpus;
    else this.#shift(pair, n * cpus);
    this.credits -= n * cpus;
    this.#busiest = Math.max(this.#busiest, this.handSlots);
    this.#memHand += n * memMb;
    this.#memMost = Math.max(this.#memMost, memMb);
    const slotMs = n * cpus * (ms ?? fillMs);
    const hold = this.holds.get(recipe);
    if (hold) {
      hold.n += n;
      hold.charged += slotMs;
    } else this.holds.set(recipe, { recipe, n, charged: slotMs, asked: 0, askedUntil: Number.NEGATIVE_INFINITY });
    return slotMs;
  }

  /** n of it are there no more, or as many as there were. @returns how many, and slot-ms that had been charged for them. */
  lose(recipe: RecipeState, most: number): { readonly n: number; readonly charged: number } {
    const hold = this.holds.get(recipe);
    if (!hold) return { n: 0, charged: 0 };
    const { cpus, memMb, kind, heat } = recipe.shared;
    const n = Math.min(most, hold.n);
    const charged = (hold.charged * n) / hold.n;
    hold.n -= n;
    hold.charged -= charged;
    hold.asked = Math.max(0, Math.min(hold.asked - n, hold.n));
    if (hold.n === 0) this.holds.delete(recipe);
    const pair = this.pair(kind);
    pair.tasks -= n;
    this.tasks -= n;
    if (heat) this.heatSlots -= n * cpus;
    else this.#shift(pair, -n * cpus);
    this.#memHand -= n * memMb;
    if (this.tasks === 0) this.#memMost = 0;
    if (this.handSlots === 0) {
      // Sums of many small numbers: nothing is exactly nothing again.
      this.handMs = 0;
      this.#fleet.fillingMs -= this.fillingMs;
      this.fillingMs = 0;
    }
    return { n, charged };
  }

  /** What it holds of the recipe waits for heat no more. @returns whether there is some. */
  urgent(recipe: RecipeState): boolean {
    const hold = this.holds.get(recipe);
    if (!hold) return false;
    const { cpus, kind } = recipe.shared;
    this.recount(kind);
    this.heatSlots -= hold.n * cpus;
    this.#shift(this.pair(kind), hold.n * cpus);
    return true;
  }

  pair(kind: Kind): Pair {
    let pair = this.pairs.get(kind);
    if (!pair) {
      pair = newPair();
      this.pairs.set(kind, pair);
    }
    return pair;
  }

  /** A sample has changed what tasks of the kind are expected to take. */
  recount(kind: Kind): void {
    const ms = expectedMs(kind, this);
    this.#count(this.pair(kind), ms === undefined ? fillMs : ms + overheadMs);
  }

  #count(pair: Pair, ms: number): void {
    this.handMs += pair.slots * (ms - pair.counted);
    this.#fill(pair.slots * (Math.min(ms, fillMs) - Math.min(pair.counted, fillMs)));
    pair.counted = ms;
  }

  #shift(pair: Pair, slots: number): void {
    pair.slots += slots;
    this.handSlots += slots;
    this.handMs += slots * pair.counted;
    this.#fill(slots * Math.min(pair.counted, fillMs));
  }

  #fill(ms: number): void {
    this.fillingMs += ms;
    this.#fleet.fillingMs += ms;
  }

  #cores(): number {
    const cores = this.view?.facts.cores;
    return typeof cores === 'number' && cores > 0 ? cores : this.slots;
  }
}

/** Whether nothing changed that decides which recipes may go there. */
function sameGround(a: NodeView, b: NodeView): boolean {
  if (a.inline !== b.inline || !sameList(a.can, b.can) || !sameList(a.plugins, b.plugins)) return false;
  if (a.facts === b.facts) return true;
  const keys = Object.keys(a.facts);
  return keys.length === Object.keys(b.facts).length && keys.every(key => sameFact(a.facts[key], b.facts[key]));
}

type FactOrNone = NodeView['facts'][string] | undefined;
const sameFact = (a: FactOrNone, b: FactOrNone): boolean =>
  a === b || (typeof a === 'object' && typeof b === 'object' && sameList(a, b));
const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a === b || (a.length === b.length && a.every((item, at) => item === b[at]));
