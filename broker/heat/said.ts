/** What the supervisor's documents say of a node's part in heating, put together once for each revision. */
import type { NodeHeat } from '../../shared/schemas/heat.ts';
import { heatOf, seenBy } from '../desired/compile.ts';
import type { Journal } from '../desired/journal.ts';

export interface HeatSaid {
  readonly heat: NodeHeat;
  readonly labels: Readonly<Record<string, string>>;
  readonly drain: boolean;
}

const nothing: HeatSaid = { heat: {}, labels: {}, drain: false };

export class SaidOfHeat {
  readonly #journal: Pick<Journal, 'durable' | 'durableRoles'>;
  readonly #known = new Map<string, HeatSaid>();

  constructor(journal: Pick<Journal, 'durable' | 'durableRoles'>) {
    this.#journal = journal;
  }

  /** The same object until {@link changed}. */
  of(node: string): HeatSaid {
    const known = this.#known.get(node);
    if (known) return known;
    const entry = this.#journal.durable.get(node);
    if (!entry) return nothing;
    const said: HeatSaid = {
      heat: heatOf(entry, seenBy(node, this.#journal.durableRoles)),
      labels: { ...entry.given?.labels, ...entry.document.labels },
      drain: entry.document.drain ?? false,
    };
    this.#known.set(node, said);
    return said;
  }

  changed(node: string): void {
    this.#known.delete(node);
  }
}
