/**
 * How attempts end, and what becomes of their tasks.
 *
 *   COMMIT    the first result whose token is live (with replicas: the one that enough nodes gave) is the task's, for
 *             good; other attempts of it are revoked. Results of dead tokens change nothing.
 *   FAILURE   counts an attempt. As long as there are retries: again after `backoff_s`, doubled each time, up to an hour,
 *             less up to a fifth by chance. Then the task is a dead letter: failed, with the reason and its last output.
 *             The second attempt of a straggler still runs: the task is not over yet.
 *   LOSS      of a node with an attempt that had started: again at once, at most five times, then dead letter.
 *             What had not started counts nothing.
 *   ACK       only after the sync of the commit, as everything that promises (journal.ts). Also what changes nothing is
 *             acknowledged behind the writes before it: it may be a copy of what is being written.
 */

import { jobLimits } from '../../../shared/schemas/job.ts';
import type { End } from '../../../shared/schemas/work.ts';
import { finishIfDone } from './ending.ts';
import type { Committed, NodeView } from './events.ts';
import { dispatchLimits, dispatchTimes } from './limits.ts';
import { checkpointKey, checkpointMark, resultValue } from './records.ts';
import { drop, revoke } from './sending.ts';
import { shunAfter } from './shunning.ts';
import type { Attempt, Core, NodeRun, RecipeRun } from './state.ts';
import { isOver } from './state.ts';
import { task } from './tasks.ts';
import { closeTask, vote, wantCopy } from './votes.ts';

/** A result came; its token is live. `shareMs` is the attempt's share of its node's time. */
export function settle(core: Core, attempt: Attempt, ms: number, shareMs: number, said: End | undefined): void {
  const { run, index, node } = attempt;
  if (!attempt.started) countStart(core, run);
  drop(core, attempt);
  const wh = energy(node, shareMs);
  if (wh !== undefined) run.job.wh = (run.job.wh ?? 0) + wh;
  const end = bounded(said);
  if (end?.why === 'lost') {
    lostOnce(core, run, index, node);
    return;
  }
  if (end?.why !== undefined) {
    shunAfter(core, run, node, end.why);
    failed(core, run, index, node, ms, wh, end);
    return;
  }
  core.placer.measured(node.id, run.r, ms, wh);
  if (run.times.length >= 128) run.times.splice(0, 64);
  if (run.job.document.speculate) run.times.push(ms);
  if (run.replicas === 1) {
    commit(core, run, index, node, 'succeeded', ms, wh, end);
    return;
  }
  const verdict = vote(core, attempt, ms, wh, end);
  if (verdict === 'waiting') return;
  if (verdict === 'none') {
    const none: End = { why: 'error', err: `no agreement: ${run.agree} equal results are asked for` };
    commit(core, run, index, node, 'failed', ms, wh, none);
    return;
  }
  const { agreed } = verdict;
  commit(core, run, index, agreed.node, 'succeeded', agreed.ms, agreed.wh, agreed.end);
}

/** A first start makes the job `running`. */
export function countStart(core: Core, { job }: RecipeRun): void {
  core.dirtyJobs.add(job);
  job.startedMs ??= core.wall;
  if (job.state !== 'queued') return;
  job.state = 'running';
  core.queuedJobs--;
  core.runningJobs++;
}

/** An attempt came to nothing without the task's fault; `counted`: it had started, and its node is lost. */
export function lose(core: Core, attempt: Attempt, counted: boolean): void {
  const { run, index, node } = attempt;
  drop(core, attempt);
  if (counted) {
    lostOnce(core, run, index, node);
    return;
  }
  again(core, run, index, true);
}

function lostOnce(core: Core, run: RecipeRun, index: number, node: NodeRun): void {
  const losses = run.tasks.losses(index) + 1;
  run.tasks.setTries(index, run.tasks.tries(index), losses);
  touch(core, run).tries.add(index);
  if (losses < jobLimits.losses) {
    again(core, run, index, true);
    return;
  }
  if (run.replicas === 1 && run.live.has(index)) return;
  const end: End = { why: 'lost', err: `its node was lost ${losses} times` };
  commit(core, run, index, node, 'failed', 0, undefined, end);
}

/** What was held for a node after a restart is not with it. */
export function heldLost(core: Core, run: RecipeRun, index: number, node: NodeRun): void {
  if (run.tasks.state(index) === task.held) lostOnce(core, run, index, node);
}

/** The task waits again; `asCopy`: of one with replicas, one copy more is wanted. */
function again(core: Core, run: RecipeRun, index: number, asCopy: boolean): void {
  core.dirtyRecipes.add(run);
  core.dirtyJobs.add(run.job);
  if (run.replicas > 1) {
    const open = run.open.get(index);
    if (!open) {
      run.tasks.set(index, task.waiting);
      return;
    }
    if (asCopy) open.copies--;
    wantCopy(core, run, index);
    return;
  }
  if (run.live.has(index)) return;
  if (run.checkpoints.has(index) && !isOver(run.job)) {
    run.tasks.set(index, task.fetching);
    run.fetch.push(index);
  } else run.tasks.set(index, task.waiting);
}

function failed(
  core: Core,
  run: RecipeRun,
  index: number,
  node: NodeRun,
  ms: number,
  wh: number | undefined,
  end: End,
) {
  const { document } = run.job;
  const tries = run.tasks.tries(index) + 1;
  run.tasks.setTries(index, tries, run.tasks.losses(index));
  touch(core, run).tries.add(index);
  if (run.replicas === 1 && run.live.has(index)) return;
  if (tries > document.retries) return commit(core, run, index, node, 'failed', ms, wh, end);
  const open = run.open.get(index);
  if (open) {
    open.copies--;
    open.delayed++;
  } else run.tasks.set(index, task.backoff);
  const full = Math.min(dispatchTimes.backoffCap, document.backoff_s * 1000 * 2 ** Math.min(30, tries - 1));
  later(core, run, index, full * (1 - 0.2 * core.random.next()));
}

/** A million tasks that fail together are a few lists here. */
function later(core: Core, run: RecipeRun, index: number, ms: number): void {
  if (ms <= 0) {
    tryAgain(core, run, index);
    return;
  }
  const step = dispatchTimes.backoffStep;
  const at = Math.ceil((core.now + ms) / step) * step;
  const list = run.backoff.get(at);
  if (list) {
    list.push(index);
    return;
  }
  run.backoff.set(at, [index]);
  core.timers.at(at, () => {
    const due = run.backoff.get(at) ?? [];
    run.backoff.delete(at);
    for (const each of due) tryAgain(core, run, each);
  });
}

function tryAgain(core: Core, run: RecipeRun, index: number): void {
  if (isOver(run.job)) return;
  const open = run.open.get(index);
  if (open && open.delayed > 0) {
    open.delayed--;
    again(core, run, index, false);
  } else if (run.tasks.state(index) === task.backoff) again(core, run, index, false);
}

function commit(
  core: Core,
  run: RecipeRun,
  index: number,
  node: NodeRun,
  state: 'succeeded' | 'failed',
  ms: number,
  wh: number | undefined,
  end: End | undefined,
): void {
  const { job, tasks } = run;
  for (let other = run.live.get(index); other; other = run.live.get(index)) revoke(core, other);
  closeTask(core, run, index);
  forgetCheckpoint(core, run, index);
  // What failed in the last attempt was counted already.
  const attempts = tasks.tries(index) + tasks.losses(index) + (state === 'succeeded' ? 1 : 0);
  tasks.set(index, state === 'succeeded' ? task.succeeded : task.failed);
  const result: Committed = {
    index,
    state,
    node: node.id,
    attempts: Math.max(1, attempts),
    ms,
    ...(wh === undefined ? {} : { wh }),
    ...(end === undefined ? {} : { end }),
  };
  const text = JSON.stringify(result);
  const valueBytes = run.batchOf ? Buffer.byteLength(JSON.stringify(resultValue(end))) : 0;
  touch(core, run).results.push({ text, result, valueBytes });
  if (state === 'failed') {
    job.lastErr = `task ${index}${run === job.main ? '' : ' of the reduction'}: ${end?.err ?? end?.why ?? 'it failed'}`;
  }
  core.dirtyJobs.add(job);
  finishIfDone(core, run);
}

export function touch(core: Core, run: RecipeRun): RecipeRun['commit'] {
  core.committing.add(run);
  return run.commit;
}

/** Bytes that a task saved: the newest are kept until the task ends. Not with replicas: one wrong copy would spoil all. */
export function checkpoint(core: Core, { run, index }: Attempt, base64: string): void {
  if (run.replicas > 1 || base64.length > jobLimits.checkpoint * 1.4) return;
  core.journal.put(checkpointKey(run.r, index), base64);
  if (run.checkpoints.has(index)) return;
  run.checkpoints.add(index);
  core.journal.put(checkpointMark(run.r, index), '');
}

export function forgetCheckpoint(core: Core, run: RecipeRun, index: number): void {
  if (!run.checkpoints.delete(index)) return;
  core.journal.del(checkpointKey(run.r, index));
  core.journal.del(checkpointMark(run.r, index));
}

/** A result that no message could carry is a failure that says so. */
function bounded(end: End | undefined): End | undefined {
  if (end === undefined) return undefined;
  const bytes = Buffer.byteLength(JSON.stringify(end));
  if (bytes <= dispatchLimits.resultBytes) return end;
  const err = `its result has ${bytes} bytes, more than ${dispatchLimits.resultBytes}: leave it in a file named in "outputs"`;
  return { why: 'output', err };
}

/** A fact or label that is a number; labels may be written as text. */
function numberOf(view: NodeView, name: string): number | undefined {
  const value = view.facts[name] ?? view.facts[`label_${name}`];
  return value === undefined || value === '' || !Number.isFinite(Number(value)) ? undefined : Number(value);
}

/** Watt-hours of a share of the node's time: from what it measures, or its labels between idle and busy. */
function energy({ view }: NodeRun, shareMs: number): number | undefined {
  if (!view) return undefined;
  const { watts, cpu_pct } = view.load;
  if (watts !== undefined) return (watts * shareMs) / 3.6e6;
  if (cpu_pct === undefined) return undefined;
  const idle = numberOf(view, 'watts_idle');
  const most = numberOf(view, 'watts_max');
  return idle === undefined || most === undefined
    ? undefined
    : ((idle + ((most - idle) * cpu_pct) / 100) * shareMs) / 3.6e6;
}
