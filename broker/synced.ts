/** What the fleet gets to know once a batch of the journal is on stable storage. */
import type { Journal, Touched } from './desired/journal.ts';
import type { Wants } from './desired/wants.ts';
import type { FleetView } from './fleet/view.ts';
import type { Projection } from './projection.ts';

export interface SyncedParts {
  readonly journal: Journal;
  readonly wants: Wants;
  readonly projection: Projection;
  readonly view: FleetView;
  /** A node was forgotten. */
  gone(node: string): void;
}

export function tellSynced({ journal, wants, projection, view, gone }: SyncedParts, touched: Touched): void {
  for (const [role, entry] of touched.roles) projection.role(role, entry);
  for (const [node, entry] of touched.nodes) {
    if (entry) projection.document(node, entry);
    // Set again since then, it is in the next batch.
    else if (!journal.nodes.has(node)) gone(node);
  }
  const changed = wants.touched(touched);
  for (const node of changed) {
    const entry = journal.durable.get(node);
    if (entry) view.put(node, { want_rev: wants.rev(entry) });
  }
  // By a role's word, they may be many.
  projection.documents([...changed].filter(node => !touched.nodes.has(node)));
}
