/**
 * What people want of jobs. Everything is answered, and only once it is on stable storage.
 *
 *   SUBMIT     the id is the key: the same document under it again is the same job, whatever became of it; another one is
 *              refused. Ids of jobs that are gone are looked up by the adapter before this (records.ts). Its tasks are sent while
 *              it is being written: nothing is promised by that, and what a crash takes with the job is revoked.
 *   CANCEL     what runs is revoked, what waits never starts; what is committed stays
 *   RETRY      dead letters are queued again with all their attempts; of a canceled or timed-out job the rest, too, and its
 *              deadline begins anew; a rejected job waits for what it needs once more
 *   PAUSE      nothing of it is sent; what runs goes on. RESUME
 *   REMOVE     of an ended job: nothing is kept but its id
 */
import { type ContractError, fail } from '../../../shared/errors.ts';
import { compileArray } from '../../../shared/jobs/array.ts';
import type { JobDocument } from '../../../shared/schemas/job.ts';
import { encode } from './commits.ts';
import { activate, endJob, introduce, watchDeadline, writeState } from './ending.ts';
import type { JobEvent } from './events.ts';
import { calm } from './heat.ts';
import { dispatchLimits } from './limits.ts';
import { type DocumentRecord, documentKey } from './records.ts';
import { removeJob } from './removing.ts';
import { createJob, nextRecipe } from './runs.ts';
import { touch } from './settling.ts';
import { type Core, currentRun, isOver, type JobRun } from './state.ts';
import { task } from './tasks.ts';

type Said<T extends JobEvent['type']> = Extract<JobEvent, { type: T }>;

function answer(core: Core, number: number, error: ContractError | undefined, job?: string, fresh?: boolean): void {
  core.effects.push({
    type: 'answer',
    answer: number,
    ...(error && { error }),
    ...(job !== undefined && { job }),
    ...(fresh !== undefined && { fresh }),
  });
}

const stuckError = (core: Core): ContractError | undefined =>
  core.journal.stuck && {
    code: 'journal',
    message: `nothing can be written (${core.journal.stuck.message}), so nothing new is accepted: try again later`,
  };

/** How many tasks a document has. */
function tasksOf({ items, array }: JobDocument) {
  if (items) return { ok: true as const, value: { n: items.length } };
  return array === undefined ? { ok: true as const, value: { n: 1 } } : compileArray(array);
}

export function submit(core: Core, { id, document, hash, by, answer: number }: Said<'submit'>): void {
  const refuse = ({ error }: { error: ContractError }) => answer(core, number, error, id);
  const stuck = stuckError(core);
  if (stuck) {
    refuse({ error: stuck });
    return;
  }
  const known = core.jobs.get(id);
  if (known?.hash === hash) {
    core.journal.promise(() => answer(core, number, undefined, id, false));
    return;
  }
  if (known) {
    refuse(fail('conflict', `another job has the id ${id}: choose another`));
    return;
  }
  const array = tasksOf(document);
  if (!array.ok) {
    refuse(array);
    return;
  }
  const { n } = array.value;
  const record: DocumentRecord = {
    document,
    hash,
    by,
    order: ++core.order,
    submitted_ms: core.wall,
    r: nextRecipe(core),
    n,
  };
  const text = JSON.stringify(record);
  const full = tooMuch(core, n, text.length);
  if (full) {
    refuse(full);
    return;
  }
  const unknown = (document.needs ?? []).findIndex(need => !core.jobs.has(need));
  if (unknown >= 0) {
    const need = document.needs?.[unknown];
    refuse(fail('schema', `there is no job ${need}: submit it first`, `needs.${unknown}`));
    return;
  }
  const job = createJob(id, record, text.length);
  enter(core, job);
  core.queuedJobs++;
  core.journal.put(documentKey(id), text);
  if (document.deadline_s !== undefined) {
    setDeadline(core, job, document.deadline_s * 1000);
    writeState(core, job);
  }
  core.dirtyJobs.add(job);
  awaitNeeds(core, job);
  core.journal.promise(() => answer(core, number, undefined, id, true));
  activate(core, job);
}

function tooMuch(core: Core, n: number, bytes: number): { error: ContractError } | undefined {
  const { live, tasks, documentBytes } = dispatchLimits;
  if (core.queuedJobs + core.runningJobs >= live)
    return fail('full', `there are ${live} jobs already: wait for some to end`);
  const makeRoom = (isEnough: () => boolean) => {
    for (const job of core.ended) {
      if (isEnough()) return;
      removeJob(core, job);
    }
  };
  makeRoom(() => core.tasks + n <= tasks && core.documentBytes + bytes <= documentBytes);
  if (core.tasks + n > tasks)
    return fail('full', `all jobs have ${core.tasks} tasks, ${tasks} at most: wait for some to end`);
  if (core.documentBytes + bytes > documentBytes) {
    return fail(
      'full',
      `the documents of all jobs have ${core.documentBytes} bytes, ${documentBytes} at most: wait for some to end`,
    );
  }
  return undefined;
}

/** Known from now on. */
export function enter(core: Core, job: JobRun): void {
  core.jobs.set(job.id, job);
  core.tasks += job.n;
  core.documentBytes += job.documentBytes;
}

export function setDeadline(core: Core, job: JobRun, ms: number): void {
  job.deadline = core.now + ms;
  job.deadlineMs = core.wall + ms;
  watchDeadline(core, job);
}

/** What it needs and has not got; a need that did not succeed ends it. Needs that are gone have succeeded long ago. */
export function awaitNeeds(core: Core, job: JobRun): void {
  job.unmet.clear();
  for (const id of job.document.needs ?? []) {
    const need = core.jobs.get(id);
    if (!need || need.state === 'succeeded') continue;
    if (isOver(need)) {
      endJob(core, job, 'rejected', `it needs ${id}, which is ${need.state}`);
      return;
    }
    job.unmet.add(id);
    const waiters = core.waiters.get(id);
    if (waiters) waiters.add(job);
    else core.waiters.set(id, new Set([job]));
  }
}

export function order(core: Core, { id, verb, answer: number }: Said<'order'>): void {
  const job = core.jobs.get(id);
  const error = stuckError(core) ?? (job ? orders[verb](core, job) : noJob(id));
  if (error) {
    answer(core, number, error, id);
    return;
  }
  if (job) core.dirtyJobs.add(job);
  core.journal.promise(() => answer(core, number, undefined, id));
}

const noJob = (id: string): ContractError => ({ code: 'id', message: `there is no job ${id}` });

const orders: Readonly<Record<Said<'order'>['verb'], (core: Core, job: JobRun) => ContractError | undefined>> = {
  cancel(core, job) {
    if (job.state === 'canceled') return undefined;
    if (isOver(job)) return { code: 'conflict', message: `${job.id} is over: it ${spoken(job)}` };
    endJob(core, job, 'canceled', '');
    return undefined;
  },
  pause(core, job) {
    return setPaused(core, job, true);
  },
  resume(core, job) {
    return setPaused(core, job, false);
  },
  remove(core, job) {
    if (!isOver(job)) return { code: 'conflict', message: `${job.id} is ${job.state}: cancel it first` };
    removeJob(core, job);
    return undefined;
  },
  retry(core, job) {
    const run = currentRun(job);
    const dead = run.tasks.count(task.failed);
    if (!isOver(job) ? dead === 0 : job.state === 'succeeded') {
      return { code: 'conflict', message: `nothing of ${job.id} failed` };
    }
    if (core.committing.has(run)) encode(core, run);
    for (let index = 0; dead > 0 && index < run.tasks.n; index++) {
      if (run.tasks.state(index) !== task.failed) continue;
      run.tasks.setTries(index, 0, 0);
      touch(core, run).again.push(index);
    }
    run.tasks.rewind([task.failed]);
    job.err = '';
    job.lastErr = '';
    if (isOver(job)) reopen(core, job);
    else core.dirtyRecipes.add(run);
    return undefined;
  },
};

function reopen(core: Core, job: JobRun): void {
  if (core.ended.delete(job)) core.endedBytes -= job.outBytes;
  job.state = job.startedMs === undefined ? 'queued' : 'running';
  if (job.state === 'queued') core.queuedJobs++;
  else core.runningJobs++;
  job.endedMs = undefined;
  const { deadline_s } = job.document;
  calm(job);
  if (deadline_s !== undefined) setDeadline(core, job, deadline_s * 1000);
  writeState(core, job);
  awaitNeeds(core, job);
  core.journal.promise(() => activate(core, job));
}

const spoken = ({ state }: JobRun): string => (state === 'rejected' || state === 'timed-out' ? `was ${state}` : state);

function setPaused(core: Core, job: JobRun, paused: boolean): ContractError | undefined {
  if (isOver(job)) return { code: 'conflict', message: `${job.id} is over: it ${spoken(job)}` };
  if (job.paused === paused) return undefined;
  job.paused = paused;
  writeState(core, job);
  core.dirtyRecipes.add(currentRun(job));
  return undefined;
}

export function setPriority(core: Core, { id, priority, answer: number }: Said<'priority'>): void {
  const job = core.jobs.get(id);
  const error = stuckError(core) ?? (job ? undefined : noJob(id));
  if (error || !job) {
    answer(core, number, error, id);
    return;
  }
  job.priority = priority;
  writeState(core, job);
  if (job.active) introduce(core, currentRun(job));
  core.journal.promise(() => answer(core, number, undefined, id));
}
