/**
 * Work that was sent ahead and would start late is taken back where another node is idle. Only what has not started can
 * be (the node says which); and only where the idle node would have it done well before its holder, so that nothing goes
 * to and fro: every move makes the longest wait shorter.
 */
import { allows } from './eligible.ts';
import type { Hold, Node } from './nodes.ts';
import { expectedMs, overheadMs } from './speeds.ts';

/** ms for asking, giving back, and sending again. */
const tripMs = 20;
/** The holder's wait must be longer than the idle node's time by this factor … */
const factor = 2;
/** … and by this, ms. */
const gainMs = 30;
/** An answer is awaited for so long, ms; the idle node is not promised more meanwhile. */
const answerMs = 1000;
/** Idle nodes, holders and recipes of a holder that are looked at in one round. */
const most = { idle: 64, holders: 16, holds: 32 } as const;

export interface Back {
  readonly node: string;
  readonly r: number;
  readonly n: number;
}

export function rebalance(open: readonly Node[], nodes: Iterable<Node>, now: number): Back[] {
  const idle: Node[] = [];
  for (const node of open) {
    if (idle.length >= most.idle) break;
    if (node.handSlots < node.slots && node.promisedUntil <= now) idle.push(node);
  }
  if (idle.length === 0) return [];
  const backs: Back[] = [];
  for (const holder of longest(nodes, now)) {
    let looked = 0;
    for (const hold of holder.holds.values()) {
      if (idle.length === 0 || looked++ >= most.holds) break;
      const n = takeable(holder, hold, idle, now);
      if (n < 1) continue;
      hold.asked = n;
      hold.askedUntil = now + answerMs;
      backs.push({ node: holder.id, r: hold.recipe.view.r, n });
    }
  }
  return backs;
}

/** ms until it is through; a node from which nothing comes is not expected to be quicker than it has been silent. */
const waitOf = (node: Node, now: number): number => Math.max(node.handMs / node.slots, now - node.progressAt);

function longest(nodes: Iterable<Node>, now: number): Node[] {
  const found: { readonly node: Node; readonly wait: number }[] = [];
  for (const node of nodes) {
    if (node.handSlots <= node.slots || node.slots <= 0) continue;
    const wait = waitOf(node, now);
    if (wait > tripMs + gainMs) found.push({ node, wait });
  }
  found.sort((a, b) => b.wait - a.wait || a.node.index - b.node.index);
  return found.slice(0, most.holders).map(({ node }) => node);
}

/** How many of these are better off elsewhere; the idle nodes that they are for leave the list. */
function takeable(holder: Node, hold: Hold, idle: Node[], now: number): number {
  if (hold.askedUntil > now && hold.asked > 0) return 0;
  const { recipe } = hold;
  // What waits for heat is taken back when that ends.
  if (recipe.gone || recipe.shared.heat) return 0;
  const { gate, cpus, kind } = recipe.shared;
  const each = (expectedMs(kind, holder) ?? waitOf(holder, now) / Math.max(1, holder.tasks)) + overheadMs;
  // At most what waits, if everything that runs is of this recipe.
  let waiting = Math.min(hold.n, Math.floor((holder.handSlots - holder.slots) / cpus));
  let wait = waitOf(holder, now);
  let taken = 0;
  for (let at = 0; at < idle.length && waiting > 0; at++) {
    const node = idle[at] as Node;
    if (node === holder || !allows(gate, node) || node.room(recipe.shared) < 1) continue;
    const there = (expectedMs(kind, node) ?? each) + overheadMs;
    if (wait < (tripMs + there) * factor || wait < tripMs + there + gainMs) continue;
    // So many that both are through at the same time, and not more than the idle node may hold.
    const even = (wait - tripMs) / (cpus * (each / holder.slots + there / node.slots));
    const n = Math.max(1, Math.min(waiting, node.room(recipe.shared), Math.floor(even)));
    waiting -= n;
    taken += n;
    wait -= (n * each * cpus) / holder.slots;
    node.promisedUntil = now + answerMs;
    idle.splice(at--, 1);
  }
  return taken;
}
