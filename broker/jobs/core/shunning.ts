/**
 * A node on which an attempt failed for the node's own reasons (an input, a package or a plugin could not be had there, or
 * it is not allowed there) gets none of that recipe for half a minute, as long as another node may run it: retries are for
 * tasks that fail, not for one node to use up.
 */
import type { Failure } from '../../../shared/schemas/work.ts';
import { disagreements, dispatchTimes } from './limits.ts';
import type { Core, NodeRun, RecipeRun } from './state.ts';
import { viewOf } from './views.ts';

const ofTheNode: ReadonlySet<Failure | undefined> = new Set(['setup', 'denied']);

export function shunAfter(core: Core, run: RecipeRun, node: NodeRun, why: Failure | undefined): void {
  if (!ofTheNode.has(why) || run.shunned.has(node)) return;
  run.shunned.add(node);
  core.timers.at(core.now + dispatchTimes.shunned, () => {
    // Placement is told something, or it would not offer the node again.
    if (run.shunned.delete(node) && node.ready && node.disagreed < disagreements) {
      core.placer.room(node.id, node.slots, node.credits);
    }
  });
}

export function isShunned(core: Core, run: RecipeRun, node: NodeRun): boolean {
  if (!run.shunned.has(node)) return false;
  const others = core.placer.explain(viewOf(run));
  return others.some(({ node: id, why }) => {
    const other = core.nodes.get(id);
    return why === undefined && other !== undefined && other !== node && !run.shunned.has(other);
  });
}
