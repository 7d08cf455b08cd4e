/**
 * How jobs end.
 *
 *   succeeded   all tasks did, and the reduction, if any, came down to one value
 *   failed      all tasks are over, and some are dead letters (with the reason, on `out` and in the store); `retry` queues
 *               those again with all their attempts
 *   rejected    a job that it needs did not succeed
 *   timed-out   the deadline passed; canceled: somebody said so. What ran is revoked, what is committed stays
 *
 * REDUCTION   when all tasks have succeeded and that is synced, their results are cut into groups of `fan_in` (fewer, where
 *             so many would not fit into a message, but at least two): each group is a task of the next level, which is a
 *             recipe of its own, and so on until a level has one task. Its result is the job's: the last on `out`, `reduced`.
 * NEEDS       a job waits until all it needs have succeeded (and that is synced). A need has to exist, so there are no
 *             circles.
 * KEEPING     ended jobs stay `keep_h` hours, but at most ten thousand of them and a gigabyte of results; then the oldest
 *             go, and only id and hash stay. After a restart the rest of that time counts by the wall clock, never more
 *             than the whole; while the process lives only monotonic time counts, so no jump of the clock ends anything.
 */
import { watchHeat, watchUrgency } from './heat.ts';
import { dispatchLimits } from './limits.ts';
import { stateKey } from './records.ts';
import { removeJob } from './removing.ts';
import { createLevel, nextRecipe } from './runs.ts';
import { revoke } from './sending.ts';
import { type Core, currentRun, isOver, type JobRun, type RecipeRun } from './state.ts';
import { task } from './tasks.ts';
import { viewOf } from './views.ts';

export function writeState(core: Core, job: JobRun): void {
  const { state, paused, priority, err, startedMs, endedMs, deadlineMs, levelRecords } = job;
  const record = {
    state,
    paused,
    priority,
    err,
    started_ms: startedMs,
    ended_ms: endedMs,
    deadline_ms: deadlineMs,
    levels: levelRecords.length > 0 ? levelRecords : undefined,
  };
  core.journal.put(stateKey(job.id), JSON.stringify(record));
}

/** Its tasks may be sent from now on. */
export function activate(core: Core, job: JobRun): void {
  if (isOver(job) || job.active || job.unmet.size > 0 || core.jobs.get(job.id) !== job) return;
  job.active = true;
  introduce(core, currentRun(job));
  finishIfDone(core, currentRun(job));
}

export function introduce(core: Core, run: RecipeRun): void {
  run.told = -1;
  core.recipes.set(run.r, run);
  for (const index of run.checkpoints) {
    if (run.tasks.state(index) !== task.waiting) continue;
    run.tasks.set(index, task.fetching);
    run.fetch.push(index);
  }
  core.placer.recipe(viewOf(run));
  core.dirtyRecipes.add(run);
  watchHeat(core, run);
}

export function finishIfDone(core: Core, run: RecipeRun): void {
  const { job, tasks } = run;
  if (tasks.ended < tasks.n || isOver(job) || currentRun(job) !== run) return;
  const dead = tasks.count(task.failed);
  if (dead > 0) {
    endJob(core, job, 'failed', `${job.lastErr || 'it failed'} (${dead} of ${tasks.n} tasks failed)`);
    return;
  }
  const isLast = run.below !== undefined && tasks.n === 1;
  if (!job.document.reduce || isLast) {
    endJob(core, job, 'succeeded', '');
    return;
  }
  core.journal.promise(() => nextLevel(core, run));
}

function nextLevel(core: Core, below: RecipeRun): void {
  const { job } = below;
  if (isOver(job) || !job.active || currentRun(job) !== below || below.tasks.count(task.succeeded) < below.tasks.n)
    return;
  const fanIn = job.document.reduce?.fan_in ?? 2;
  const fan = Math.max(2, Math.min(fanIn, Math.floor(dispatchLimits.reduceBytes / Math.max(1, below.mostBytes))));
  const record = { r: nextRecipe(core), n: Math.ceil(below.tasks.n / fan), fan };
  const run = createLevel(job, record, below);
  job.levels.push(run);
  job.levelRecords.push(record);
  core.tasks += run.tasks.n;
  writeState(core, job);
  retire(core, below);
  introduce(core, run);
}

/** Nothing of it is sent any more, and nodes may forget it. */
export function retire(core: Core, run: RecipeRun): void {
  for (const [index] of run.live) {
    for (let attempt = run.live.get(index); attempt; attempt = run.live.get(index)) revoke(core, attempt);
  }
  core.tellLeft();
  if (core.recipes.delete(run.r)) core.placer.gone(run.r);
  core.ofHeat.delete(run);
  for (const node of run.sentTo) {
    node.knows.delete(run);
    node.returns.delete(run);
    core.outgoing.forget(node, run.r);
  }
  run.sentTo.clear();
  run.fence = core.nextToken();
  run.fetch.clear();
  run.prepared.clear();
  run.partial.clear();
  run.open.clear();
  run.backoff.clear();
  run.wants = 0;
  run.tasks.rewind([task.live, task.backoff, task.held, task.fetching, task.prepared, task.open]);
}

export type EndState = 'succeeded' | 'failed' | 'rejected' | 'timed-out' | 'canceled';

export function endJob(core: Core, first: JobRun, state: EndState, err: string): void {
  const todo: [JobRun, EndState, string][] = [[first, state, err]];
  for (let next = todo.pop(); next; next = todo.pop()) {
    const [job, how, why] = next;
    if (isOver(job)) continue;
    endOne(core, job, how, why);
    const dependents = core.waiters.get(job.id);
    if (!dependents) continue;
    core.waiters.delete(job.id);
    for (const other of dependents) {
      if (how === 'succeeded') meet(core, other, job.id);
      else todo.push([other, 'rejected', `it needs ${job.id}, which is ${how}`]);
    }
  }
}

function meet(core: Core, job: JobRun, need: string): void {
  job.unmet.delete(need);
  if (job.unmet.size === 0) core.journal.promise(() => activate(core, job));
}

function endOne(core: Core, job: JobRun, state: EndState, err: string): void {
  if (job.state === 'running') core.runningJobs--;
  else core.queuedJobs--;
  job.state = state;
  job.err = err.slice(0, 1000);
  job.endedMs = core.wall;
  job.active = false;
  retire(core, currentRun(job));
  for (const need of job.unmet) core.waiters.get(need)?.delete(job);
  writeState(core, job);
  core.dirtyJobs.add(job);
  keep(core, job, job.document.keep_h * 3_600_000);
}

/** Short enough, and whoever waits for the end would find nothing. */
const leastKeepMs = 10_000;

/** Counts as ended from now on; `ms` is how long it stays. */
export function keep(core: Core, job: JobRun, ms: number): void {
  core.ended.add(job);
  core.endedBytes += job.outBytes;
  const ended = job.endedMs;
  core.timers.at(core.now + Math.max(leastKeepMs, ms), () => {
    if (job.endedMs === ended && core.ended.has(job)) removeJob(core, job);
  });
  for (const oldest of core.ended) {
    const isEnough = core.ended.size <= dispatchLimits.ended && core.endedBytes <= dispatchLimits.outBytes;
    if (isEnough || oldest === job) break;
    removeJob(core, oldest);
  }
}

/** The deadline, by monotonic time. */
export function watchDeadline(core: Core, job: JobRun): void {
  const { deadline } = job;
  if (deadline === undefined) return;
  core.timers.at(deadline, () => {
    if (job.deadline !== deadline || isOver(job) || core.jobs.get(job.id) !== job) return;
    const left = job.n - job.main.tasks.ended;
    endJob(core, job, 'timed-out', `its deadline passed, ${left} of ${job.n} tasks were not done`);
  });
  watchUrgency(core, job);
}
