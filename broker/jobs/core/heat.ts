/**
 * Jobs of class heat. Their tasks are sent only to nodes of which heat is asked, as far as it is (placement); the node
 * freezes what runs above that, and says which tasks these are.
 *
 *   PAUSED    the heat of a node ends: what it has not begun is asked back; what it has begun is frozen there and stays,
 *             however long. Its timeout stands still, and it is no straggler.
 *   MOVED     frozen for five minutes while another node with heat has room: revoked and queued again, with its last
 *             checkpoint; no attempt is counted. What never saved anything would begin anew: it is moved only once it has been
 *             frozen for longer than it had run, so that no more is lost than was waited for.
 *   URGENT    a deadline is near: less than twice the time is left that the remaining tasks are expected to take on all
 *             nodes, or a tenth of the whole; where nothing was measured, a quarter. From then on it is like class batch. Not
 *             journalled: it is worked out again after a start. A retry begins anew, with its deadline.
 */
import type { TokenSpan } from '../../../shared/schemas/work.ts';
import { dispatchTimes } from './limits.ts';
import { lose } from './settling.ts';
import { type Attempt, type Core, currentRun, isOver, type JobRun, type NodeRun, type RecipeRun } from './state.ts';
import { viewOf } from './views.ts';

/** ms that it has run; what it was frozen for does not count. */
export function ranMs(core: Core, { at, frozen }: Attempt): number {
  if (!frozen) return core.now - at;
  return (frozen.since ?? core.now) - at - frozen.ms;
}

/** A recipe comes to nodes from now on. */
export function watchHeat(core: Core, run: RecipeRun): void {
  if (!run.recipe.heat) return;
  core.ofHeat.add(run);
  if (!core.heatTimer) lookLater(core);
}

function lookLater(core: Core): void {
  core.heatTimer = true;
  core.timers.at(core.now + dispatchTimes.heatLook, () => {
    core.heatTimer = false;
    if (core.ofHeat.size === 0) return;
    lookLater(core);
    core.tellLeft();
    // One for each node: what was sent there is not counted yet.
    const taken = new Set<string>();
    for (const run of core.ofHeat) {
      for (const first of [...run.live.values()]) {
        for (let one: Attempt | undefined = first; one; one = one.twin) look(core, one, taken);
      }
    }
  });
}

function look(core: Core, attempt: Attempt, taken: Set<string>): void {
  const { node, started, at } = attempt;
  if (!node.session || !node.ready) return;
  if (!started) {
    const late = core.now - at >= dispatchTimes.heatUnstarted && roomElsewhere(core, attempt, taken);
    if (node.heat === 0 || late) askBack(core, attempt);
  } else if (isLongFrozen(core, attempt) && roomElsewhere(core, attempt, taken)) {
    core.outgoing.revoke(node, attempt.token);
    lose(core, attempt, false);
  }
}

function isLongFrozen(core: Core, attempt: Attempt): boolean {
  const { frozen, run, index } = attempt;
  if (frozen?.since === undefined) return false;
  const ms = core.now - frozen.since;
  return ms >= dispatchTimes.heatMove && (run.checkpoints.has(index) || ms >= ranMs(core, attempt));
}

function roomElsewhere(core: Core, { run, index, node }: Attempt, taken: Set<string>): boolean {
  const except = new Set(taken).add(node.id);
  for (let one = run.live.get(index); one; one = one.twin) except.add(one.node.id);
  for (const { node: voter } of run.open.get(index)?.votes ?? []) except.add(voter.id);
  const other = core.placer.other(run.r, except, core.now);
  if (other !== undefined) taken.add(other);
  return other !== undefined;
}

function askBack(core: Core, attempt: Attempt): void {
  if (attempt.taken || attempt.started) return;
  attempt.taken = true;
  core.outgoing.take(attempt.node, attempt.token);
}

/** Slots that tasks of class heat may use on the node. */
export function heatChanged(core: Core, node: NodeRun, slots: number): void {
  const before = node.heat;
  node.heat = slots;
  if (core.ofHeat.size === 0) return;
  if ((before === 0) !== (slots === 0)) for (const { job } of core.ofHeat) core.dirtyJobs.add(job);
  if (slots >= before || !node.session) return;
  const held = [...node.held.values()].filter(({ run }) => run.recipe.heat);
  const running = held.reduce((sum, { started, run }) => sum + (started ? run.recipe.cpus : 0), 0);
  if (running >= slots) for (const attempt of held) askBack(core, attempt);
}

/** All that is frozen on the node now. */
export function heardFrozen(core: Core, node: NodeRun, spans: readonly TokenSpan[]): void {
  for (const attempt of node.held.values()) {
    const { run, token, frozen } = attempt;
    if (!frozen && !run.recipe.heat) continue;
    const is = attempt.started && spans.some(([first, n]) => token >= first && token < first + n);
    if (is === (frozen?.since !== undefined)) continue;
    const ms = (frozen?.ms ?? 0) + (is ? 0 : core.now - (frozen?.since ?? core.now));
    attempt.frozen = { since: is ? core.now : undefined, ms };
    core.dirtyJobs.add(run.job);
  }
}

/** Nothing of it runs, and what could needs heat that is asked of no node that may run it, or is used up. */
export function waitsForHeat(core: Core, job: JobRun): boolean {
  const run = currentRun(job);
  if (!run.recipe.heat || isOver(job) || job.paused || !job.active) return false;
  let frozen = 0;
  for (const first of run.live.values()) {
    for (let one: Attempt | undefined = first; one; one = one.twin) if (one.frozen?.since !== undefined) frozen++;
  }
  if (run.started > frozen) return false;
  return frozen > 0 || !core.placer.heated(run.r);
}

/** Looks when its deadline makes it urgent. */
export function watchUrgency(core: Core, job: JobRun): void {
  const { deadline, document } = job;
  if (document.class !== 'heat' || job.urgent || deadline === undefined) return;
  if (isOver(job) || core.jobs.get(job.id) !== job) return;
  const { r, tasks } = currentRun(job);
  const [left, whole] = [deadline - core.now, (document.deadline_s ?? 0) * 1000];
  const lasts = core.placer.lasts(r, tasks.n - tasks.ended);
  const spare = left - (lasts === undefined ? whole / 4 : Math.max(2 * lasts, whole / 10));
  if (spare <= 0) {
    makeUrgent(core, job);
    return;
  }
  const { least, most } = dispatchTimes.urgencyLook;
  core.timers.at(core.now + Math.max(least, Math.min(most, lasts === undefined ? spare : spare / 2)), () => {
    if (job.deadline === deadline) watchUrgency(core, job);
  });
}

function makeUrgent(core: Core, job: JobRun): void {
  job.urgent = true;
  core.dirtyJobs.add(job);
  for (const run of [job.main, ...job.levels]) {
    const { heat: _, ...recipe } = run.recipe;
    run.recipe = recipe;
    core.ofHeat.delete(run);
    if (!core.recipes.has(run.r)) continue;
    core.placer.recipe(viewOf(run));
    for (const node of run.sentTo) core.outgoing.urgent(node, run.r);
    core.dirtyRecipes.add(run);
  }
}

/** It begins anew, with all of its time. */
export function calm(job: JobRun): void {
  if (!job.urgent) return;
  job.urgent = false;
  for (const run of [job.main, ...job.levels]) run.recipe = { ...run.recipe, heat: true };
}

/** Of class heat: what the node holds, whether it runs or not. */
export function heatHeld(core: Core, node: NodeRun | undefined): number {
  let held = 0;
  if (core.ofHeat.size === 0 || !node) return held;
  for (const { run } of node.held.values()) if (run.recipe.heat) held++;
  return held;
}
