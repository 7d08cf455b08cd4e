/** A report for a terminal. What nodes say is hostile: every cell is made printable. */
import { printable } from '../../shared/names.ts';
import type { JobsReport, NodeReport, Report } from '../../shared/schemas/report.ts';
import { ago, table } from '../table.ts';

export function reportText(report: Report): string {
  const { made_ms: now, nodes } = report;
  const since = (ms: number | undefined) => (ms === undefined ? '' : ago(Math.max(0, now - ms)));
  const cells = (row: readonly string[]) => row.map(cell => printable(cell, 160));
  const parts = [summaryText(report)];
  if (nodes.length > 0) parts.push(table(['NODE', 'STATE', 'AS WANTED', 'ITEMS', 'CHECKS', 'SYSTEM'], nodes.map(row)));
  const { jobs } = report;
  if (jobs) {
    const rows = jobs.jobs.map(job => cells(jobCells(job)));
    parts.push([jobsText(jobs), ...(rows.length > 0 ? [table(jobHead, rows)] : [])].join('\n'));
  }
  const items = nodes.flatMap(({ node, items }) =>
    items.map(one => cells([node, one.item, one.state, since(one.since_ms), one.why])),
  );
  const errors = nodes.flatMap(({ node, err, items }) =>
    err && items.length === 0 ? [cells([node, '', '', '', err])] : [],
  );
  if (items.length + errors.length > 0)
    parts.push(`Not as wanted:\n${table(['NODE', 'ITEM', 'STATE', 'SINCE', 'WHY'], [...items, ...errors])}`);
  for (const [state, title] of [
    ['fail', 'Checks that fail'],
    ['unknown', 'Checks that cannot be told'],
  ] as const) {
    const rows = nodes.flatMap(({ node, checks }) =>
      checks.filter(check => check.state === state).map(one => ({ weight: weights[one.severity], one, node })),
    );
    if (rows.length === 0) continue;
    rows.sort((a, b) => b.weight - a.weight);
    const lines = rows.map(({ node, one }) =>
      cells([
        one.severity,
        node,
        one.check.slice('checks/'.length),
        since(one.since_ms),
        one.saw,
        ...(state === 'fail' ? [one.runbook ?? ''] : []),
      ]),
    );
    const head = ['SEVERITY', 'NODE', 'CHECK', 'SINCE', 'SAW', ...(state === 'fail' ? ['WHAT TO DO'] : [])];
    parts.push(`${title}:\n${table(head, lines)}`);
  }
  return parts.join('\n\n');

  function row(node: NodeReport): string[] {
    const counts = (['pass', 'fail', 'unknown'] as const)
      .map(state => [node.checks.filter(check => check.state === state).length, state] as const)
      .filter(([count]) => count > 0);
    const system = [node.os, node.arch].filter(Boolean).join(' ');
    return cells([
      node.node,
      stateOf(node),
      node.converged ? 'yes' : 'no',
      `${node.items_ok}/${node.items_ok + node.items.length}`,
      counts.map(([count, state]) => `${count} ${state}`).join(', '),
      system,
    ]);
  }
}

export const weights = { info: 0, warning: 1, critical: 2 } as const;
export const stateOf = (node: NodeReport): string => (node.online ? (node.state ?? 'online') : 'offline');

export const jobHead = ['JOB', 'STATE', 'TASKS', 'FAILED', 'WH', 'BY', 'WHY'];
export const jobCells = ({
  job,
  state,
  tasks,
  succeeded,
  failed,
  wh,
  by,
  err,
}: JobsReport['jobs'][number]): string[] => [
  ...[job, state, `${succeeded}/${tasks}`, String(failed), wh === undefined ? '' : energy(wh), by, err],
];
const energy = (wh: number): string => String(Number(wh.toPrecision(3)));

/** One sentence. */
export function jobsText({ known, queued, running, succeeded, failed, canceled, wh }: JobsReport): string {
  const used = wh === undefined ? '' : `; ${energy(wh)} Wh`;
  return `${known} jobs: ${running} running, ${queued} queued, ${succeeded} succeeded, ${failed} failed, ${canceled} canceled${used}.`;
}

/** One sentence. */
export function summaryText({ base, supervisor, summary }: Report): string {
  const { nodes, online, converged, pass, fail, unknown, failing, items_wrong: wrong } = summary;
  const weighty = failing.critical > 0 ? ` (${failing.critical} critical)` : '';
  const away = supervisor === 'online' ? '' : `, supervisor ${supervisor}`;
  const items = wrong === 0 ? '' : `, ${wrong} items wrong`;
  const checks = `${pass} pass, ${fail} fail${weighty}, ${unknown} cannot be told`;
  return `${base}: ${nodes} nodes, ${online} online, ${converged} as wanted${items}${away}; checks: ${checks}.`;
}
