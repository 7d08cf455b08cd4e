/**
 * Tasks go to nodes. Placement says which node gets how many of which recipe; here it is said which tasks these are.
 *
 *   - An attempt gets a token that no other ever has; tokens of one message follow one another, so that a batch is a few
 *     numbers.
 *   - Assignments are not journalled: after a crash nodes say what they hold.
 *   - Nothing is sent while the disk refuses: results could not be committed.
 */
import type { WorkSpan } from '../../../shared/schemas/work.ts';
import { pumpFetches } from './fetching.ts';
import { disagreements, dispatchLimits, dispatchTimes } from './limits.ts';
import { bootKey } from './records.ts';
import { isShunned } from './shunning.ts';
import type { Attempt, Core, NodeRun, Prepared, RecipeRun } from './state.ts';
import { isOver, tokensOfBoot } from './state.ts';
import { task } from './tasks.ts';
import { takeCopy, waitingCopies } from './votes.ts';

const mayRun = ({ job }: RecipeRun): boolean => job.active && !job.paused && !isOver(job);

/** Tasks of it that can be sent at this moment. */
export function sendable(run: RecipeRun): number {
  if (!mayRun(run)) return 0;
  if (run.replicas > 1) return waitingCopies(run);
  return run.tasks.count(task.prepared) + (run.below ? 0 : run.tasks.count(task.waiting));
}

export function tellWaiting(core: Core, run: RecipeRun): void {
  if (!core.recipes.has(run.r)) return;
  const n = sendable(run);
  if (n === run.told) return;
  run.told = n;
  core.placer.waiting(run.r, n);
}

/** As long as there is work and room. */
export function dispatch(core: Core): void {
  core.tellLeft();
  for (const run of core.dirtyRecipes) {
    pumpFetches(core, run);
    tellWaiting(core, run);
  }
  core.dirtyRecipes.clear();
  if (core.journal.stuck) return;
  for (;;) {
    const choice = core.placer.next(core.now);
    if (!choice) return;
    const node = core.nodes.get(choice.node);
    const run = core.recipes.get(choice.r);
    const sent = node?.session && node.ready && run && maySend(core, node, run) ? give(core, node, run, choice.n) : 0;
    if (run && sent > 0) {
      core.placer.given(choice.node, choice.r, sent);
      pumpFetches(core, run);
      run.told = -1;
      tellWaiting(core, run);
    } else core.placer.skip(choice.node, choice.r);
  }
}

const maySend = (core: Core, node: NodeRun, run: RecipeRun): boolean =>
  isTrusted(node, run) && !isShunned(core, run, node);

const isTrusted = (node: NodeRun, run: RecipeRun): boolean =>
  node.disagreed === 0 || (run.replicas === 1 && node.disagreed < disagreements);

function nextPrepared(run: RecipeRun): Prepared | undefined {
  for (let next = run.prepared.shift(); next; next = run.prepared.shift()) {
    if (run.tasks.state(next.index) === task.prepared) return next;
  }
  return undefined;
}

function nextTask(core: Core, node: NodeRun, run: RecipeRun): Prepared | undefined {
  if (run.replicas > 1) {
    const index = takeCopy(core, run, node);
    return index < 0 ? undefined : { index, value: run.value?.(index), checkpoint: undefined };
  }
  const prepared = nextPrepared(run);
  if (prepared || run.below) return prepared;
  const index = run.tasks.take();
  return index < 0 ? undefined : { index, value: run.value?.(index), checkpoint: undefined };
}

function give(core: Core, node: NodeRun, run: RecipeRun, most: number): number {
  const n = Math.min(most, sendable(run), run.job.document.batch);
  let bytes = 0;
  let sent = 0;
  const spans: WorkSpan[] = [];
  let span: { t: number; r: number; i: number; n: number; a: number; v?: unknown[]; cp?: string } | undefined;
  while (sent < n && bytes < dispatchLimits.sendBytes - dispatchLimits.arrayBytes) {
    const next = nextTask(core, node, run);
    if (!next) break;
    const { index, value, checkpoint } = next;
    const attempt = begin(core, node, run, index);
    sent++;
    if (value !== undefined) bytes += Buffer.byteLength(JSON.stringify(value)) + 1;
    const follows =
      span !== undefined &&
      checkpoint === undefined &&
      span.cp === undefined &&
      index === span.i + span.n &&
      attempt.token === span.t + span.n &&
      attempt.number === span.a;
    if (span && follows) {
      span.n++;
      if (value !== undefined) span.v?.push(value);
      continue;
    }
    bytes += 80 + (checkpoint?.length ?? 0);
    span = { t: attempt.token, r: run.r, i: index, n: 1, a: attempt.number };
    if (value !== undefined) span.v = [value];
    if (checkpoint !== undefined) span.cp = checkpoint;
    spans.push(span);
  }
  if (sent > 0) core.outgoing.spans(node, run, spans, bytes);
  return sent;
}

/** A new live attempt. */
export function begin(core: Core, node: NodeRun, run: RecipeRun, index: number): Attempt {
  const token = core.nextToken();
  core.tokens++;
  if (core.tokens >= tokensOfBoot / 2) reserveBoot(core);
  const number = run.tasks.tries(index) + run.tasks.losses(index) + 1;
  return hold(core, { token, run, index, number, node, at: core.now, started: false, taken: false, twin: undefined });
}

/** A live attempt from now on, sent or adopted. */
export function hold(core: Core, attempt: Attempt): Attempt {
  const { run, index, node } = attempt;
  attempt.twin = run.live.get(index);
  run.live.set(index, attempt);
  node.held.set(attempt.token, attempt);
  if (run.replicas === 1) run.tasks.set(index, task.live);
  if (attempt.started) run.started++;
  if (!node.askTimer) askLater(core, node);
  return attempt;
}

/** It is live no more; what becomes of its task is the caller's to say. */
export function drop(core: Core, attempt: Attempt): void {
  const { run, index, node, token } = attempt;
  node.held.delete(token);
  if (attempt.started) run.started--;
  const first = run.live.get(index);
  if (first === attempt) {
    if (attempt.twin) run.live.set(index, attempt.twin);
    else run.live.delete(index);
  } else {
    for (let other = first; other; other = other.twin) if (other.twin === attempt) other.twin = attempt.twin;
  }
  core.countLeft(node, run);
  core.dirtyJobs.add(run.job);
}

/** Dropped, and the node told. */
export function revoke(core: Core, attempt: Attempt): void {
  drop(core, attempt);
  core.outgoing.revoke(attempt.node, attempt.token);
}

/** This boot's tokens are half used: the next number is made sure of before they run out. */
function reserveBoot(core: Core): void {
  if (core.nextBoot === undefined) {
    const next = core.boot + 1;
    core.nextBoot = 0;
    core.journal.put(bootKey, String(next));
    core.journal.promise(() => {
      core.nextBoot = next;
    });
  }
  if (core.tokens >= tokensOfBoot - 1 && core.nextBoot > 0) {
    core.boot = core.nextBoot;
    core.tokens = 1;
    core.nextBoot = undefined;
  }
}

/** A message may have been lost on the way: a node that has had a task for long without a word is asked what it holds. */
function askLater(core: Core, node: NodeRun): void {
  node.askTimer = true;
  core.timers.at(core.now + dispatchTimes.ask, () => {
    node.askTimer = false;
    if (node.held.size === 0) return;
    askLater(core, node);
    if (!node.session) return;
    for (const { at } of node.held.values()) {
      if (core.now - at >= dispatchTimes.ask) {
        askInventory(core, node);
        return;
      }
    }
  });
}

export function askInventory(core: Core, node: NodeRun): void {
  const question = core.nextToken();
  node.asked = { question, from: question };
  node.have = undefined;
  core.outgoing.inventory(node, question);
}

/** What it was told of recipes may be lost. */
export function knowsNothing(node: NodeRun): void {
  for (const run of node.knows) run.sentTo.delete(node);
  node.knows.clear();
}
