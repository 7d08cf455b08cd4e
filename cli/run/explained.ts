/** Why which node would get nothing of a job. */
import { printable } from '../../shared/names.ts';
import { table } from '../table.ts';

interface Explained {
  readonly node: string;
  readonly why?: string | undefined;
}

export function explainTable(nodes: readonly Explained[]): string {
  if (nodes.length === 0) return 'There is no node yet.';
  const rows = [...nodes]
    .sort((a, b) => Number(a.why !== undefined) - Number(b.why !== undefined) || (a.node < b.node ? -1 : 1))
    .map(({ node, why }) => [node, why === undefined ? 'yes' : 'no', printable(why ?? '', 500)]);
  return table(['NODE', 'MAY', 'WHY NOT'], rows);
}
