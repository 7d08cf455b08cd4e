/**
 * A start: what the store has below `jobs/` becomes what is in memory. Nothing here looks at results: a million tasks are
 * some thousand commit records. What was under way is asked of the nodes when they come (reports.ts).
 *
 * What outlives a restart counts by the wall clock: the rest of a deadline and of the time that results are kept, but
 * never more than the whole of it, so that a clock that was put back holds nothing for ever.
 */

import { activate, finishIfDone, keep, watchDeadline } from './ending.ts';
import { dispatchTimes } from './limits.ts';
import type { CommitRecord, DocumentRecord, StateRecord } from './records.ts';
import { giveUpExpected } from './reports.ts';
import { createJob, createLevel } from './runs.ts';
import { nodeOf } from './sessions.ts';
import { type Core, isOver, type JobRun, type RecipeRun } from './state.ts';
import { awaitNeeds, enter } from './submissions.ts';
import { task } from './tasks.ts';

export function load(core: Core, entries: readonly (readonly [key: string, value: string])[]): void {
  const runs = new Map<number, RecipeRun>();
  const states = new Map<string, StateRecord>();
  const jobs: JobRun[] = [];
  const rest: (readonly [kind: string, a: string, b: string, value: string])[] = [];
  for (const [key, value] of entries) {
    const [, kind = '', a = '', b = ''] = key.split('/');
    if (kind === 'doc') jobs.push(createJob(a, JSON.parse(value) as DocumentRecord, value.length));
    else if (kind === 'state') states.set(a, JSON.parse(value) as StateRecord);
    else rest.push([kind, a, b, value]);
  }
  jobs.sort((a, b) => a.order - b.order);
  for (const job of jobs) {
    enter(core, job);
    core.order = Math.max(core.order, job.order);
    runs.set(job.main.r, job.main);
    const state = states.get(job.id);
    if (state) applyState(core, job, state, runs);
  }
  for (const [kind, a, b, value] of rest) {
    if (kind === 'commit') {
      const run = runs.get(Number(a));
      if (run) applyCommit(run, Number(b), JSON.parse(value) as CommitRecord);
    } else if (kind === 'cp') runs.get(Number(a))?.checkpoints.add(Number(b));
    else if (kind === 'node') nodeOf(core, a).disagreed = Number(value) || 0;
  }
  for (const [kind, id, , value] of rest) if (kind === 'run') expect(core, id, value, runs);
  for (const job of jobs) start(core, job);
  core.timers.at(core.now + dispatchTimes.held, () => {
    for (const node of core.nodes.values()) giveUpExpected(core, node);
  });
}

function applyState(core: Core, job: JobRun, state: StateRecord, runs: Map<number, RecipeRun>): void {
  job.state = state.state;
  job.paused = state.paused;
  job.priority = state.priority;
  job.err = state.err;
  job.startedMs = state.started_ms;
  job.endedMs = state.ended_ms;
  job.deadlineMs = state.deadline_ms;
  for (const record of state.levels ?? []) {
    const run = createLevel(job, record, job.levels[job.levels.length - 1] ?? job.main);
    job.levels.push(run);
    job.levelRecords.push(record);
    runs.set(run.r, run);
    core.tasks += run.tasks.n;
  }
}

function applyCommit(run: RecipeRun, k: number, record: CommitRecord): void {
  const { tasks, job } = run;
  const ranges = (of: readonly number[] | undefined, each: (first: number, n: number) => void) => {
    for (let i = 0; of && i < of.length; i += 2) each(of[i] as number, of[i + 1] as number);
  };
  if (run.commits === 0) run.firstCommit = k;
  run.commits = k + 1;
  ranges(record.again, (first, n) => {
    tasks.fill(first, n, task.waiting);
    for (let index = first; index < first + n; index++) tasks.setTries(index, 0, 0);
  });
  const { tries = [], seq } = record;
  for (let i = 0; i < tries.length; i += 3) {
    tasks.setTries(tries[i] as number, tries[i + 1] as number, tries[i + 2] as number);
  }
  ranges(record.ok, (first, n) => {
    tasks.fill(first, n, task.succeeded);
    if (run.batchOf && seq !== undefined) run.batchOf.fill(seq, first, first + n);
  });
  ranges(record.failed, (first, n) => tasks.fill(first, n, task.failed));
  if (record.wh !== undefined) {
    job.wh = (job.wh ?? 0) + record.wh;
    job.whWritten += record.wh;
    run.wh += record.wh;
  }
  const batches = record.seqs ?? (seq === undefined ? 0 : seq + 1);
  if (run.out) job.outs = Math.max(job.outs, batches);
  else run.batches = Math.max(run.batches, batches);
  run.bytes += record.bytes ?? 0;
  job.outBytes += record.bytes ?? 0;
  run.mostBytes = Math.max(run.mostBytes, record.most ?? 0);
  run.compactAt = run.firstCommit + Math.max(2000, run.commits - run.firstCommit + 1);
}

/** What had run for a second is held for its node. */
function expect(core: Core, id: string, value: string, runs: Map<number, RecipeRun>): void {
  const node = nodeOf(core, id);
  node.ran = value;
  for (const [r, index] of JSON.parse(value) as [number, number][]) {
    const run = runs.get(r);
    if (!run || isOver(run.job) || run.replicas > 1 || run.tasks.state(index) !== task.waiting) continue;
    run.tasks.set(index, task.held);
    const indexes = node.expected.get(run);
    if (indexes) indexes.add(index);
    else node.expected.set(run, new Set([index]));
  }
}

function start(core: Core, job: JobRun): void {
  if (isOver(job)) {
    const { keep_h } = job.document;
    const age = Math.max(0, core.wall - (job.endedMs ?? core.wall));
    const keepMs = keep_h * 3_600_000;
    // A clock that is wrong takes nothing away at once.
    keep(core, job, Math.max(keepMs - age, Math.min(keepMs, dispatchTimes.keptAfterStart)));
    return;
  }
  const { main } = job;
  if (job.state === 'running') core.runningJobs++;
  else core.queuedJobs++;
  if (job.deadlineMs !== undefined) {
    const whole = (job.document.deadline_s ?? 0) * 1000;
    job.deadline = core.now + Math.min(whole, Math.max(0, job.deadlineMs - core.wall));
    watchDeadline(core, job);
  }
  core.dirtyJobs.add(job);
  awaitNeeds(core, job);
  if (job.unmet.size === 0) activate(core, job);
  if (!isOver(job)) finishIfDone(core, job.levels[job.levels.length - 1] ?? main);
}
