/**
 * What is written of tasks, and what is said of jobs. Results that came while the disk was busy are written together:
 * per recipe one batch of results, as it goes out on `out`, and one record with ranges of indexes; both in one atomic
 * write, so that a task is committed exactly if its result is there. After some thousand records of a recipe they become one.
 */
import type { JobIs } from '../../../shared/schemas/job.ts';
import { writeState } from './ending.ts';
import { waitsForHeat } from './heat.ts';
import { dispatchLimits, dispatchTimes } from './limits.ts';
import { type CommitRecord, commitKey, outKey, outText, toRanges, valueKey } from './records.ts';
import { dispatch } from './sending.ts';
import { type Core, currentRun, isOver, type JobRun, type RecipeRun } from './state.ts';
import { task } from './tasks.ts';

/** The end of every step: what can be sent is sent, what is to be written is written, what can be said is said. */
export function finish(core: Core): void {
  do dispatch(core);
  while (flush(core));
  core.tellLeft();
  core.outgoing.flush();
}

/** @returns true: promises were kept, and there may be more to do. */
function flush(core: Core): boolean {
  const { journal } = core;
  if (journal.busy) return false;
  for (const run of core.committing) encode(core, run);
  for (const job of core.dirtyJobs) sayIs(core, job);
  core.dirtyJobs.clear();
  if (core.is.size > 0) {
    const said = [...core.is];
    core.is.clear();
    journal.promise(() => {
      for (const [job, is] of said) core.effects.push({ type: 'is', job, is });
    });
  }
  const next = journal.next();
  if (next === undefined) return false;
  if ('write' in next) {
    core.effects.push({ type: 'write', ...next });
    return false;
  }
  for (const keep of next) keep();
  return true;
}

/** `is` of a job at most once a second, but at once at its end, its first change, and where more than numbers changed. */
function sayIs(core: Core, job: JobRun): void {
  if (core.jobs.get(job.id) !== job) return;
  const now = `${job.state} ${job.paused} ${waitsForHeat(core, job)}`;
  if (job.said === now && job.isAt !== undefined && core.now < job.isAt + dispatchTimes.isEvery) {
    job.isLate = true;
    if (job.isTimer) return;
    job.isTimer = true;
    core.timers.at(job.isAt + dispatchTimes.isEvery, () => {
      job.isTimer = false;
      if (job.isLate) core.dirtyJobs.add(job);
    });
    return;
  }
  job.said = now;
  job.isLate = false;
  job.isAt = core.now;
  core.is.set(job.id, isOf(core, job));
}

/** As it is on the topic. Tasks are those of the job itself; a reduction only holds its end back. */
export function isOf(core: Core, job: JobRun): JobIs {
  const { tasks } = job.main;
  const running = Math.max(0, Math.min(currentRun(job).started, job.n - (job.levels.length > 0 ? 0 : tasks.ended)));
  const pct = Math.floor((1000 * tasks.ended) / job.n) / 10;
  return {
    job: job.id,
    state: job.state,
    paused: job.paused,
    ...(waitsForHeat(core, job) && { waiting: 'for heat' }),
    tasks: job.n,
    queued: isOver(job) ? 0 : Math.max(0, job.n - tasks.ended - running),
    running,
    succeeded: tasks.count(task.succeeded),
    failed: tasks.count(task.failed),
    pct: job.document.reduce && !isOver(job) ? Math.min(pct, 99.9) : pct,
    // Only what is written: a counter must not fall where this process is killed.
    ...(job.whWritten > 0 ? { wh: Math.round(job.whWritten * 1e6) / 1e6 } : {}),
    outs: job.outs,
    by: job.by,
    err: job.err,
    submitted_ms: job.submittedMs,
    ...(job.startedMs === undefined ? {} : { started_ms: job.startedMs }),
    ...(job.endedMs === undefined ? {} : { ended_ms: job.endedMs }),
  };
}

export function encode(core: Core, run: RecipeRun): void {
  core.committing.delete(run);
  const { commit, job, tasks } = run;
  const { results, again, tries } = commit;
  // With the first results it is known that, and when, the job began.
  if (run.commits === 0 && run === job.main && !isOver(job)) writeState(core, job);
  let at = 0;
  let isFirst = true;
  while (at < results.length || (isFirst && again.length + tries.size > 0)) {
    const record: { -readonly [key in keyof CommitRecord]: CommitRecord[key] } = {};
    if (isFirst) {
      if (again.length > 0) record.again = toRanges(again);
      const triples = [...tries].flatMap(index => triple(run, index));
      if (triples.length > 0) record.tries = triples;
    }
    isFirst = false;
    const first = at;
    let bytes = 0;
    while (at < results.length && at - first < dispatchLimits.batchResults && bytes < dispatchLimits.batchBytes) {
      bytes += results[at++]?.text.length ?? 0;
    }
    if (at > first) writeBatch(core, run, results.slice(first, at), record);
    const wh = (job.wh ?? 0) - job.whWritten;
    if (wh > 0) {
      record.wh = wh;
      run.wh += wh;
      job.whWritten += wh;
    }
    core.journal.put(commitKey(run.r, run.commits++), JSON.stringify(record));
  }
  commit.results = [];
  commit.again = [];
  tries.clear();
  if (run.commits >= run.compactAt && !run.batchOf && tasks.ended < tasks.n) compact(core, run);
}

function triple({ tasks }: RecipeRun, index: number): readonly number[] {
  const isEnded = tasks.state(index) === task.succeeded || tasks.state(index) === task.failed;
  return isEnded ? [] : [index, tasks.tries(index), tasks.losses(index)];
}

function writeBatch(
  core: Core,
  run: RecipeRun,
  batch: RecipeRun['commit']['results'],
  record: { -readonly [key in keyof CommitRecord]: CommitRecord[key] },
): void {
  const { job, out } = run;
  const seq = out ? job.outs++ : run.batches++;
  const reduced = out && run.below !== undefined;
  const text = outText(
    seq,
    batch.map(({ text }) => text),
    reduced,
  );
  const bytes = text.length;
  core.journal.put(out ? outKey(job.id, seq) : valueKey(run.r, seq), text);
  const ok: number[] = [];
  const failed: number[] = [];
  for (const { result, valueBytes } of batch) {
    (result.state === 'succeeded' ? ok : failed).push(result.index);
    if (run.batchOf) run.batchOf[result.index] = seq;
    run.mostBytes = Math.max(run.mostBytes, valueBytes);
  }
  if (ok.length > 0) record.ok = toRanges(ok);
  if (failed.length > 0) record.failed = toRanges(failed);
  record.seq = seq;
  record.bytes = bytes;
  if (run.batchOf) record.most = run.mostBytes;
  run.bytes += bytes;
  job.outBytes += bytes;
  if (core.ended.has(job)) core.endedBytes += bytes;
  if (!out) return;
  const results = batch.map(({ result }) => result);
  core.journal.promise(() => {
    const effect = { type: 'out', job: job.id, seq, results, text } as const;
    core.effects.push(reduced ? { ...effect, reduced } : effect);
  });
}

/** One record for all before it, where it is not larger than they. */
function compact(core: Core, run: RecipeRun): void {
  run.compactAt = run.commits + dispatchLimits.compactEvery;
  const ok = run.tasks.ranges(task.succeeded, dispatchLimits.compactRanges);
  const failed = run.tasks.ranges(task.failed, dispatchLimits.compactRanges);
  if (!ok || !failed) return;
  const tries: number[] = [];
  for (let index = 0; index < run.tasks.n; index++) {
    if (run.tasks.tries(index) + run.tasks.losses(index) > 0) tries.push(...triple(run, index));
  }
  if (tries.length > dispatchLimits.compactRanges) return;
  const record: CommitRecord = { ok, failed, tries, bytes: run.bytes, wh: run.wh, seqs: run.job.outs };
  for (let k = run.firstCommit; k < run.commits; k++) core.journal.del(commitKey(run.r, k));
  run.firstCommit = run.commits;
  core.journal.put(commitKey(run.r, run.commits++), JSON.stringify(record));
}
