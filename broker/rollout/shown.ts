/** What people see of a rollout: the role's `is`, what was put back, and a sentence for `event`. Pure. */
import { printable } from '../../shared/names.ts';
import type { FabricEvent } from '../../shared/schemas/fabric.ts';
import type { RoleIs } from '../../shared/schemas/rollout.ts';
import type { News } from './core.ts';
import { isOpen, isUnjudged, isWaiting, type Rollout } from './record.ts';

const waits = 'it waits for a node that is online and has done what it was told before';

export function roleIs(role: string, rollout: Rollout): RoleIs {
  const nodes = Object.entries(rollout.nodes);
  const current = nodes.filter(([, node]) => isUnjudged(node)).map(([id]) => id);
  const failed_n = nodes.filter(([, { stage }]) => stage === 'failed').length;
  const waiting = nodes.filter(([, node]) => isWaiting(node)).length;
  // Of an open one, who is not listed waits, too; afterwards, who is not listed came later and has what all have.
  const well = nodes.length - current.length - failed_n - waiting;
  const ok_n = isOpen(rollout) ? well : rollout.n - current.length - failed_n - waiting;
  const nobody = rollout.state === 'rolling' && !rollout.passed && current.length === 0;
  return {
    role,
    state: rollout.state,
    rev: rollout.rev,
    nodes: rollout.n,
    ok_n: rollout.state === 'reverted' ? 0 : Math.max(0, ok_n),
    failed_n,
    current: printable(current.sort().join(','), 400),
    failed: rollout.failed ?? '',
    why: printable(rollout.why ?? (nobody ? waits : ''), 400),
    since_ms: rollout.since_ms,
  };
}

/** What was put back, as somebody set it; `""` for nothing. */
export const failedText = ({ lost }: Rollout): string =>
  lost === undefined ? '' : JSON.stringify({ ...lost.document, rev: lost.rev });

type Told = Pick<FabricEvent, 'level' | 'kind' | 'text'>;

export function newsText(role: string, { kind, node, why }: News, { rev, n }: Rollout): Told {
  const told = (level: Told['level'], text: string): Told => ({
    level,
    kind: `rollout-${kind}`,
    text: `${role}: ${text}`,
  });
  switch (kind) {
    case 'started':
      return told('info', `revision ${rev} goes to its ${n} nodes one after the other`);
    case 'canary':
      return told('info', `${node} is well with revision ${rev}, the others follow`);
    case 'failed':
      return told('warn', `${node} is not well with revision ${rev}: ${why}`);
    case 'reverted':
      return told('warn', `revision ${rev} was put back on all nodes: ${node === undefined ? '' : `${node}: `}${why}`);
    case 'stopped':
      return told('warn', `revision ${rev} goes to no further node, ${node} is not well with it: ${why}`);
    case 'done':
      return told('info', `revision ${rev} is on all nodes that are there`);
  }
}
