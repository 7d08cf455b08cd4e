/**
 * Replicas: every task runs `replicas` times, each on another node, and `agree` of them (default: more than half) must
 * have given the same, compared as JSON with sorted keys and without times. The first result that has so many is
 * committed, and what else runs of the task is revoked.
 *
 *   - A copy that fails takes one of the task's retries, and is made up for after the backoff.
 *   - All copies are there and no result has enough: further ones, one by one, up to twice `replicas` (also on nodes that
 *     had one; of two results of one node the later counts). Still none: dead letter, "no agreement".
 *   - Whose result differs from the committed one is reported and put under quarantine: no tasks of jobs with replicas;
 *     after the third time none at all, until somebody trusts the node again. That outlives a restart.
 *   - Results that are not agreed on yet are not kept: after a crash these copies run again.
 */
import { createHash } from 'node:crypto';
import type { End } from '../../../shared/schemas/work.ts';
import { disagreements, dispatchLimits } from './limits.ts';
import { nodeKey } from './records.ts';
import type { Attempt, Core, NodeRun, Open, RecipeRun } from './state.ts';
import { task } from './tasks.ts';

/** Copies that may be sent now. */
export const waitingCopies = (run: RecipeRun): number =>
  run.wants + (run.open.size < dispatchLimits.open ? run.tasks.count(task.waiting) * run.replicas : 0);

/** The task of which that node gets a copy; -1: it has, or had, one of all of them. Begun tasks come before new ones. */
export function takeCopy(core: Core, run: RecipeRun, node: NodeRun): number {
  for (let looked = Math.min(128, run.partial.length); looked > 0; looked--) {
    const index = run.partial.shift() as number;
    const open = run.open.get(index);
    if (!open || open.wants === 0) continue;
    if (!suits(run, open, index, node)) {
      run.partial.push(index);
      continue;
    }
    want(core, run, open, -1);
    open.copies++;
    if (open.wants > 0) run.partial.push(index);
    return index;
  }
  if (run.open.size >= dispatchLimits.open) return -1;
  const index = run.tasks.take();
  if (index < 0) return -1;
  openTask(core, run, index, run.replicas - 1).copies = 1;
  return index;
}

export function openTask(core: Core, run: RecipeRun, index: number, wants: number): Open {
  const open: Open = { wants: 0, delayed: 0, copies: 0, votes: [] };
  run.open.set(index, open);
  run.tasks.set(index, task.open);
  want(core, run, open, wants);
  if (wants > 0) run.partial.push(index);
  return open;
}

function want(core: Core, run: RecipeRun, open: Open, n: number): void {
  open.wants += n;
  run.wants += n;
  core.dirtyRecipes.add(run);
}

export function suits(run: RecipeRun, open: Open, index: number, node: NodeRun): boolean {
  for (let copy = run.live.get(index); copy; copy = copy.twin) if (copy.node === node) return false;
  return open.copies >= run.replicas || !open.votes.some(vote => vote.node === node);
}

/** One more copy is wanted: another came to nothing. */
export function wantCopy(core: Core, run: RecipeRun, index: number): void {
  const open = run.open.get(index);
  if (!open) return;
  want(core, run, open, 1);
  run.partial.push(index);
}

/** The task is over, or begins anew. */
export function closeTask(core: Core, run: RecipeRun, index: number): void {
  const open = run.open.get(index);
  if (!open) return;
  want(core, run, open, -open.wants);
  run.open.delete(index);
}

type Vote = Open['votes'][number];
export type Verdict = { readonly agreed: Vote } | 'none' | 'waiting';

/** A copy succeeded. `none`: no agreement, and no further copies. */
export function vote(core: Core, attempt: Attempt, ms: number, wh: number | undefined, end: End | undefined): Verdict {
  const { run, index, node } = attempt;
  const open = run.open.get(index);
  if (!open) return 'waiting';
  const hash = createHash('sha256')
    .update(canonical(end ?? {}))
    .digest('base64');
  open.votes = open.votes.filter(other => other.node !== node);
  open.votes.push({ node, hash, ms, wh, end });
  const same = open.votes.filter(other => other.hash === hash);
  if (same.length >= run.agree) {
    for (const other of open.votes) if (other.hash !== hash) blame(core, other.node, run, index);
    return { agreed: same[0] as Vote };
  }
  if (run.live.has(index) || open.wants > 0 || open.delayed > 0) return 'waiting';
  if (open.copies >= 2 * run.replicas) return 'none';
  wantCopy(core, run, index);
  return 'waiting';
}

function blame(core: Core, node: NodeRun, run: RecipeRun, index: number): void {
  node.disagreed++;
  core.journal.put(nodeKey(node.id), String(node.disagreed));
  const sentence =
    node.disagreed >= disagreements ? 'it gets no tasks any more' : 'it gets no tasks of jobs with replicas any more';
  core.event(
    'warn',
    'disagrees',
    `its result of task ${index} of ${run.job.id} differs from that of ${run.agree} others: ${sentence}, until do/resume`,
    node.id,
  );
  if (node.disagreed === disagreements) core.placer.room(node.id, node.slots, 0);
}

export function pardon(core: Core, node: NodeRun): void {
  if (node.disagreed === 0) return;
  node.disagreed = 0;
  core.journal.del(nodeKey(node.id));
  if (node.session && node.ready) core.placer.room(node.id, node.slots, node.credits);
}

/** JSON with sorted keys: the same text for the same value. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const parts = Object.keys(value)
    .sort()
    .map(key => `${JSON.stringify(key)}:${canonical((value as Record<string, unknown>)[key])}`);
  return `{${parts.join(',')}}`;
}
