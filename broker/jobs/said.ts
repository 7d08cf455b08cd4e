/** What the supervisor's documents say of a node's part in jobs, put together once for each revision. */
import { jobsOf, rolesOf, seenBy } from '../desired/compile.ts';
import type { Journal } from '../desired/journal.ts';
import type { NodeSaid } from './node-view.ts';

/** Of a node that has no document yet. */
const nothing: NodeSaid = { roles: [], labels: {}, drain: false, jobs: {} };

export class Said {
  readonly #journal: Pick<Journal, 'durable' | 'durableRoles'>;
  readonly #known = new Map<string, NodeSaid>();

  constructor(journal: Pick<Journal, 'durable' | 'durableRoles'>) {
    this.#journal = journal;
  }

  /** The same object until {@link changed}. */
  of(node: string): NodeSaid {
    const known = this.#known.get(node);
    if (known) return known;
    const entry = this.#journal.durable.get(node);
    if (!entry) return nothing;
    const said: NodeSaid = {
      roles: [...rolesOf(entry)],
      labels: { ...entry.given?.labels, ...entry.document.labels },
      drain: entry.document.drain ?? false,
      jobs: jobsOf(entry, seenBy(node, this.#journal.durableRoles)),
    };
    this.#known.set(node, said);
    return said;
  }

  changed(node: string): void {
    this.#known.delete(node);
  }
}
