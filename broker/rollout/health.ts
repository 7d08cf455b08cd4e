/** Whether a node is well with what it was given, by its own word (`is`). Pure. */

import type { NodeView } from '../../shared/fleet-view.ts';
import type { ItemStatus } from '../../shared/schemas/observed.ts';
import type { RolloutSettings } from '../../shared/schemas/rollout.ts';
import type { RolloutNode } from './record.ts';

type NodeIs = NonNullable<NodeView['is']>;

/** Something that keeps a node from being well. */
export interface Problem {
  /** The item's path; `err` and the error, its numbers taken out, for what is about the whole node; or `stale`. */
  readonly key: string;
  readonly why: string;
  /** The node itself has tried long enough: nobody waits for the deadline. */
  readonly final?: true;
}

/** Not as wanted, and not on its way there. */
const bad = new Set(['failed', 'crash-loop', 'backoff']);
/** On its way; so a node is not yet well. */
const onTheWay = new Set(['starting', 'stopping', 'changing', 'waiting']);
/** Problems of one node that are remembered. */
const mostProblems = 50;

/** @param rev of what the node was given: before it has attempted that, what it says is about something else. */
export function problemsOf(is: NodeIs | undefined, rev: number): readonly Problem[] {
  if (!is) return [{ key: 'stale', why: 'it has not said yet how it is' }];
  const problems: Problem[] = [];
  for (const [path, item] of Object.entries(is.items)) {
    const problem = problemOf(path, item);
    if (problem && problems.push(problem) === mostProblems) break;
  }
  if (is.err !== '') problems.push({ key: `err ${is.err.replace(/\d+/g, '#')}`.slice(0, 200), why: is.err });
  // Said last: what is known against it is the better reason.
  if (is.rev < rev)
    problems.push({ key: 'stale', why: `it has not come to it (it is at revision ${is.rev} of ${rev})` });
  return problems;
}

function problemOf(path: string, { state, health, severity, doing, err, saw }: ItemStatus): Problem | undefined {
  if (path.startsWith('checks/')) {
    if (state !== 'fail' || severity !== 'critical') return undefined;
    return { key: path, why: `${path}: ${saw ?? err ?? 'it fails'}` };
  }
  if (bad.has(state)) {
    const why = `${path}: ${err === undefined ? state : `${state} (${err})`}`;
    return state === 'crash-loop' ? { key: path, why, final: true } : { key: path, why };
  }
  if (onTheWay.has(state)) return { key: path, why: `${path}: still ${doing ?? state}` };
  if (health === 'unhealthy') return { key: path, why: `${path}: ${err ?? 'unhealthy'}` };
  if (health === 'starting') return { key: path, why: `${path}: its health check has not passed yet` };
  return undefined;
}

/** What a given node is to be judged by, beside its `is`. Kept in memory: a supervisor that starts anew looks anew. */
export interface Watched {
  /** Of the node's {@link RolloutNode}: another one is another try. */
  readonly rev: number;
  /** Monotonic; undefined: its time has not begun. */
  readonly since: number | undefined;
  readonly wellSince: number | undefined;
  readonly restarts: number;
}

export type Verdict = { readonly is: 'well' } | { readonly is: 'failed'; readonly why: string };

export interface Seen {
  readonly online: boolean;
  readonly is: NodeIs | undefined;
}

/**
 * One look at a node.
 * @param now monotonic milliseconds.
 */
export function watch(
  known: Watched | undefined,
  node: RolloutNode,
  { online, is }: Seen,
  settings: Pick<RolloutSettings, 'healthy_s' | 'deadline_s'>,
  now: number,
): { readonly watched: Watched; readonly verdict?: Verdict } {
  const excused = new Set(node.was ?? []);
  const problems = problemsOf(is, node.rev).filter(({ key }) => !isExcused(key, excused));
  const attempted = is !== undefined && is.rev >= node.rev;
  const before = known?.rev === node.rev ? known : undefined;
  // Who was busy with something else is judged from when it has come to this.
  const begins = node.stage !== 'late' || (online && attempted);
  const since = before?.since ?? (begins ? now : undefined);
  const restarts = restartsOf(is, excused);
  const steady = online && problems.length === 0 && !(before && restarts > before.restarts);
  const well = online && problems.length === 0;
  const wellSince = !well ? undefined : steady ? (before?.wellSince ?? now) : now;
  const watched: Watched = { rev: node.rev, since, wellSince, restarts };
  if (wellSince !== undefined && now - wellSince >= settings.healthy_s * 1000)
    return { watched, verdict: { is: 'well' } };
  if (since === undefined) return { watched };
  const [first] = problems;
  const final = online && attempted ? problems.find(problem => problem.final) : undefined;
  if (final) return { watched, verdict: { is: 'failed', why: final.why } };
  if (now - since < settings.deadline_s * 1000) return { watched };
  const why = !online ? 'it went offline and did not come back' : (first?.why ?? 'it did not stay well');
  return { watched, verdict: { is: 'failed', why: `${why}, after ${settings.deadline_s} s` } };
}

/** An error about the whole node that names an item is about that item. */
function isExcused(key: string, excused: ReadonlySet<string>): boolean {
  if (excused.has(key)) return true;
  if (!key.startsWith('err ')) return false;
  const item = /^err ([^:]+):/.exec(key)?.[1];
  return item !== undefined && [...excused].some(path => path.replace(/\d+/g, '#') === item);
}

function restartsOf(is: NodeIs | undefined, excused: ReadonlySet<string>): number {
  let sum = 0;
  for (const [path, { restarts }] of Object.entries(is?.items ?? {})) if (!excused.has(path)) sum += restarts ?? 0;
  return sum;
}
