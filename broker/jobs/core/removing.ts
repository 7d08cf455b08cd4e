/** An ended job goes: all that was written of it in one batch, but its id and hash, so that nobody takes the id for another. */
import { encode } from './commits.ts';
import {
  checkpointKey,
  checkpointMark,
  commitKey,
  documentKey,
  outKey,
  rememberOps,
  stateKey,
  valueKey,
} from './records.ts';
import type { Core, JobRun } from './state.ts';

export function removeJob(core: Core, job: JobRun): void {
  const { journal } = core;
  if (!core.ended.delete(job)) return;
  for (const run of [job.main, ...job.levels]) {
    if (core.committing.has(run)) encode(core, run);
    for (let k = run.firstCommit; k < run.commits; k++) journal.del(commitKey(run.r, k));
    for (let seq = 0; seq < run.batches; seq++) journal.del(valueKey(run.r, seq));
    for (const index of run.checkpoints) {
      journal.del(checkpointMark(run.r, index));
      journal.del(checkpointKey(run.r, index));
    }
    core.tasks -= run.tasks.n;
  }
  for (let seq = 0; seq < job.outs; seq++) journal.del(outKey(job.id, seq));
  journal.del(stateKey(job.id));
  journal.del(documentKey(job.id));
  const record = { hash: job.hash, state: job.state, at: core.wall };
  journal.ops.push(...rememberOps(job.id, record));
  core.endedBytes -= job.outBytes;
  core.documentBytes -= job.documentBytes;
  core.jobs.delete(job.id);
  core.dirtyJobs.delete(job);
  core.is.set(job.id, undefined);
}
