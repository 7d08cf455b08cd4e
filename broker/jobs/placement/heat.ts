/** Class heat, as far as placement is asked: what could run where, and how long it would take without waiting for heat. */
import type { RecipeState } from './classes.ts';
import { allows } from './eligible.ts';
import type { Node } from './nodes.ts';
import { expectedMs, overheadMs } from './speeds.ts';

const takesPart = (node: Node): boolean => node.online && node.view?.closed === undefined;

/** Whether heat is asked of some node that may run it. */
export function heated(nodes: Iterable<Node>, { shared: { gate } }: RecipeState): boolean {
  for (const node of nodes) if (node.heat > 0 && takesPart(node) && allows(gate, node)) return true;
  return false;
}

/** Tasks of these that wait and that the node may run, whether heat is asked of it or not. */
export function heatFor(node: Node, recipes: Iterable<RecipeState>): number {
  let waiting = 0;
  if (!takesPart(node)) return 0;
  for (const { shared, waiting: n } of recipes) {
    if (shared.heat && n > 0 && shared.cpus <= node.slots && allows(shared.gate, node)) waiting += n;
  }
  return waiting;
}

/**
 * ms until n tasks of it are done, if the nodes that there are do nothing else: all of them at their measured speeds, and
 * not less than one task takes on the slowest.
 */
export function lasts(nodes: Iterable<Node>, { shared, kind }: RecipeState, n: number): number | undefined {
  const { gate, cpus } = shared;
  if (kind.samples === 0) return undefined;
  let perMs = 0;
  let longest = 0;
  for (const node of nodes) {
    if (!takesPart(node) || node.slots < cpus || !allows(gate, node)) continue;
    const ms = (expectedMs(kind, node) ?? kind.ms) + overheadMs;
    perMs += Math.floor(node.slots / cpus) / ms;
    longest = Math.max(longest, ms);
  }
  return perMs === 0 ? undefined : Math.max(n / perMs, longest);
}
