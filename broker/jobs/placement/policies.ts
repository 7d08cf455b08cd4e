/** Which of the nodes with room gets it. A lower rank is better; among equals the first that is looked at. */
import type { PlaceClass, RecipeState } from './classes.ts';
import { allows } from './eligible.ts';
import type { Node } from './nodes.ts';
import { expectedMs, overheadMs } from './speeds.ts';

/** Nodes with room that are compared for one batch, and others that are passed over meanwhile; each choice goes on from there. */
const compared = 64;
const passed = 256;
/** Rank of a node that is to be tried: less than any time. */
const untried = -1;
/** Below this margin, K, a node counts as slower. */
const warmK = 10;

export interface Choice {
  readonly node: Node;
  readonly n: number;
  /** Where the next choice begins. */
  readonly turn: number;
}

/** @param turn where to begin, for fleets of which only a part is compared. */
export function choose(open: readonly Node[], recipe: RecipeState, turn: number): Choice | undefined {
  const cls = recipe.own ?? recipe.shared;
  const all = cls.policy === 'round-robin';
  const start = open.length > compared ? turn % open.length : 0;
  let best: Node | undefined;
  let bestRank = Number.POSITIVE_INFINITY;
  let bestRoom = 0;
  let rooms = 0;
  let seen = 0;
  let looked = 0;
  while (looked < open.length && (all || !best || (seen < compared && looked < passed))) {
    const node = open[(start + looked++) % open.length] as Node;
    if (!allows(cls.gate, node) || isSkipped(cls, node)) continue;
    const room = node.room(cls);
    if (room < 1) continue;
    seen++;
    rooms += room;
    const rank = ranks[cls.policy](cls, node);
    if (best && rank >= bestRank) continue;
    best = node;
    bestRank = rank;
    bestRoom = room;
  }
  if (!best) return undefined;
  const { waiting, inHand, view } = recipe;
  const free = Math.min(waiting, (view.maxParallel ?? Number.POSITIVE_INFINITY) - inHand);
  const share = part(cls, best, free, bestRoom, (rooms * open.length) / looked, seen);
  return { node: best, n: Math.max(1, Math.min(share, bestRoom, free, view.batch)), turn: start + looked };
}

export const isSkipped = (cls: PlaceClass, node: Node): boolean => cls.skips?.get(node) === node.word;

/** What is short is shared by those that have room, instead of filling up the first of them. */
function part(cls: PlaceClass, node: Node, free: number, room: number, rooms: number, seen: number): number {
  if (rooms <= free) return room;
  if (cls.policy === 'greenest' && (node.pairs.get(cls.kind)?.whSamples ?? 0) > 0) return room;
  if ((cls.policy === 'spread' || cls.policy === 'round-robin') && free <= seen * 8) return 1;
  return Math.ceil((free * room) / rooms);
}

type Rank = (cls: PlaceClass, node: Node) => number;

const ranks: Readonly<Record<PlaceClass['policy'], Rank>> = {
  fit,
  spread: (_, node) => node.handSlots / node.slots,
  // The next by its number after the one that got something last.
  'round-robin': ({ cursor }, node) => (node.index > cursor ? node.index - cursor : node.index + 1e9),
  greenest(cls, node) {
    const pair = node.pairs.get(cls.kind);
    if (pair && pair.whSamples > 0) return pair.wh;
    // A node that is busy with its first tasks, or whose watts nobody knows, comes after those that are known.
    return pair && (pair.samples > 0 || pair.tasks > 0) ? 1e9 + fit(cls, node) : untried + tie(node);
  },
};

/** ms until one more task would be done there. */
export function fit(cls: PlaceClass, node: Node): number {
  const pair = node.pairs.get(cls.kind);
  const known = (pair?.samples ?? 0) > 0;
  // Where neither the kind nor the node's pace was ever measured it gets a try, one at a time.
  if (!known && node.paceSamples === 0 && (pair?.tasks ?? 0) === 0) return untried + tie(node);
  const ms = (expectedMs(cls.kind, node) ?? 1000) + overheadMs;
  const wait = node.hasFree(cls.cpus) ? 0 : node.fillingMs / node.slots;
  return (wait + ms * strain(node)) * (1 + tie(node) / 100);
}

/** How much longer tasks take for what else burdens the machine. */
function strain(node: Node): number {
  const { view } = node;
  if (!view) return 1;
  const { temp_c: temp, mem_free_mb: free } = view.load;
  let factor = 1 + node.others;
  if (temp !== undefined && view.maxTempC - temp < warmK) factor *= 1 + (warmK - (view.maxTempC - temp)) / (2 * warmK);
  const memory = view.facts.mem_mb;
  if (free !== undefined && typeof memory === 'number' && free < memory / 10) factor *= 1.25;
  return factor;
}

/** Of nodes that are equal otherwise: the less busy, then the one with fewer watts. From 0 to below 1. */
function tie(node: Node): number {
  const busy = Math.min(1, (node.handSlots / Math.max(1, node.slots) + node.others) / 4);
  return busy * 0.9 + Math.min(1, (node.view?.load.watts ?? 50) / 10_000) * 0.09;
}

/** The best for one more copy, of those that are open and not named. */
export function another(open: readonly Node[], { shared }: RecipeState, except: ReadonlySet<string>): Node | undefined {
  let best: Node | undefined;
  let bestRank = Number.POSITIVE_INFINITY;
  for (const node of open) {
    if (except.has(node.id) || !allows(shared.gate, node) || node.room(shared) < 1) continue;
    const rank = fit(shared, node);
    if (rank >= bestRank) continue;
    best = node;
    bestRank = rank;
  }
  return best;
}
