/** What is known of a cluster as a report. Pure: shared/schemas/report.ts says what it means. */
import { z } from 'zod';
import { expandChecks, severityOf } from '../../shared/check-sets/index.ts';
import { printable } from '../../shared/names.ts';
import { type Check, type CheckSeverity, checkFields, checkSeverities } from '../../shared/schemas/check.ts';
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import {
  type CheckResult,
  type ItemResult,
  type NodeReport,
  type Report,
  reportVersion,
} from '../../shared/schemas/report.ts';
import type { Known, KnownNode } from '../fleet.ts';

/** As much of a `want` as a report needs; what it does not know is no reason to know nothing. */
export const wantForReport = z.object({
  rev: z.number().int().nonnegative(),
  checks: z.record(z.string(), z.unknown()).optional(),
});
export type WantForReport = z.output<typeof wantForReport>;

/** A wanted check has `from`, and from a newer supervisor more. */
const lenient = z.object(checkFields.shape);

/** States in which an item is as wanted. */
const settled = new Set(['running', 'exited', 'ok']);
const broken = new Set(['failed', 'backoff', 'crash-loop', 'drifted']);
/** A node in one of these is away because somebody wants it so. */
const awayByIntent = new Set(['sleeping', 'left']);

export interface ReportParts {
  readonly base: string;
  /** Epoch milliseconds. */
  readonly now: number;
  /** Only this node. */
  readonly node?: string | undefined;
}

export function buildReport(
  known: Known,
  wants: ReadonlyMap<string, WantForReport>,
  { base, now, node }: ReportParts,
): Report {
  const nodes = [...known.nodes.values()]
    .filter(({ id }) => node === undefined || id === node)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map(each => nodeReportOf(each, wants.get(each.id)));
  const checks = nodes.flatMap(each => each.checks);
  const failing = (severity: CheckSeverity) =>
    checks.filter(check => check.state === 'fail' && check.severity === severity).length;
  const inState = (state: CheckResult['state']) => checks.filter(check => check.state === state).length;
  const worst = worstOf(nodes);
  return {
    version: reportVersion,
    made_ms: now,
    base,
    supervisor: known.supervisor ?? 'unknown',
    summary: {
      nodes: nodes.length,
      online: nodes.filter(({ online }) => online).length,
      converged: nodes.filter(({ converged }) => converged).length,
      items_wrong: nodes.flatMap(({ items }) => items).filter(({ wrong }) => wrong).length,
      pass: inState('pass'),
      fail: inState('fail'),
      unknown: inState('unknown'),
      failing: { info: failing('info'), warning: failing('warning'), critical: failing('critical') },
      ...(worst === undefined ? {} : { worst }),
    },
    nodes,
  };
}

/** Whether what is wrong weighs at least `least`. */
export const failsOn = ({ summary }: Report, least: CheckSeverity): boolean =>
  summary.worst !== undefined && checkSeverities.indexOf(summary.worst) >= checkSeverities.indexOf(least);

function worstOf(nodes: readonly NodeReport[]): CheckSeverity | undefined {
  const weights = nodes.flatMap(node => {
    const away = !node.online && !awayByIntent.has(node.state ?? '');
    const amiss = node.online && (!node.converged || node.items.some(({ wrong }) => wrong));
    const failing = node.checks.filter(({ state }) => state === 'fail').map(({ severity }) => severity);
    return [...(away ? ['critical' as const] : []), ...(amiss ? ['warning' as const] : []), ...failing];
  });
  return [...checkSeverities].reverse().find(severity => weights.includes(severity));
}

function nodeReportOf({ id, online, info, is }: KnownNode, want: WantForReport | undefined): NodeReport {
  const entries = Object.entries(is?.items ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const others = entries.filter(([path]) => !path.startsWith('checks/'));
  const items = others.flatMap(([path, item]) => itemResultOf(path, item) ?? []);
  const attempted = is !== undefined && (want === undefined || is.rev >= want.rev);
  return {
    node: id,
    online,
    ...(is === undefined ? {} : { state: is.state, ver: is.ver, rev: is.rev }),
    ...(info?.os === undefined ? {} : { os: info.os }),
    ...(info?.arch === undefined ? {} : { arch: info.arch }),
    ...(info?.room === undefined ? {} : { room: info.room }),
    converged: online && attempted && is.err === '',
    ...(want === undefined ? {} : { want_rev: want.rev }),
    ...(is?.err ? { err: is.err } : {}),
    items_ok: others.length - items.length,
    items,
    checks: checksOf(online, Object.fromEntries(entries), wantedChecks(want)),
  };
}

function itemResultOf(item: string, { state, err, doing, since_ms: since }: ItemStatus): ItemResult | undefined {
  if (settled.has(state) && err === undefined) return undefined;
  const wrong = err !== undefined || broken.has(state);
  return { item, state, wrong, why: err ?? doing ?? '', ...(since === undefined ? {} : { since_ms: since }) };
}

function wantedChecks(want: WantForReport | undefined): ReadonlyMap<string, Check> {
  const readable = Object.entries(want?.checks ?? {}).flatMap(([name, said]): [string, Check][] => {
    const check = lenient.safeParse(said);
    return check.success ? [[name, check.data]] : [];
  });
  return expandChecks(Object.fromEntries(readable)).checks;
}

/** What the node says, and what it should say something of. Of a node that is offline nothing is known any more. */
function checksOf(
  online: boolean,
  items: Readonly<Record<string, ItemStatus>>,
  wanted: ReadonlyMap<string, Check>,
): CheckResult[] {
  const said = Object.keys(items).filter(path => path.startsWith('checks/'));
  const paths = new Set([...said, ...[...wanted.keys()].map(name => `checks/${name}`)]);
  return [...paths].sort().map(path => {
    const check = wanted.get(path.slice('checks/'.length));
    const item = Object.hasOwn(items, path) ? items[path] : undefined;
    const state = item?.state === 'pass' || item?.state === 'fail' ? item.state : 'unknown';
    const saw = item === undefined ? 'the node has not said' : (item.saw ?? item.err ?? '');
    return {
      check: path,
      state: online ? state : 'unknown',
      severity: item?.severity ?? (check ? severityOf(check) : 'warning'),
      saw: online || item === undefined ? saw : printable(`offline; it was ${state}: ${saw}`, 240),
      ...(item?.since_ms === undefined ? {} : { since_ms: item.since_ms }),
      ...(check?.runbook === undefined ? {} : { runbook: check.runbook }),
    };
  });
}
