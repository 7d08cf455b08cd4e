/** What the fleet gets to know once a batch of the journal is on stable storage. */
import type { Journal, Touched } from './desired/journal.ts';
import type { Wants } from './desired/wants.ts';
import type { FleetView } from './fleet/view.ts';
import type { Projection } from './projection.ts';
import type { Rollouts } from './rollout/rollouts.ts';

export interface SyncedParts {
  readonly journal: Journal;
  readonly wants: Wants;
  readonly projection: Projection;
  readonly view: FleetView;
  readonly rollouts: Rollouts;
  /** A node was forgotten. */
  gone(node: string): void;
  /** Documents may be others than before: those of these nodes are. */
  changed(nodes: readonly string[]): void;
}

export function tellSynced(parts: SyncedParts, touched: Touched): void {
  const { journal, wants, projection, view, gone } = parts;
  for (const [role, entry] of touched.roles) projection.role(role, entry);
  for (const [node, entry] of touched.nodes) {
    if (entry) projection.document(node, entry);
    // Set again since then, it is in the next batch.
    else if (!journal.nodes.has(node)) gone(node);
  }
  const changed = [...wants.touched(touched)].filter(node => {
    const entry = journal.durable.get(node);
    if (!entry) return false;
    const rev = wants.rev(node, entry);
    // A step of a rollout is about some of the role's nodes.
    if (!touched.nodes.has(node) && view.get(node)?.want_rev === rev) return false;
    view.put(node, { want_rev: rev });
    return true;
  });
  // By a role's word, they may be many.
  projection.documents(changed.filter(node => !touched.nodes.has(node)));
  parts.rollouts.synced(touched);
  parts.changed(changed);
}
