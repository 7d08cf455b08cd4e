/** What is retained about jobs, for a report. */
import { type JobIs, jobIsPayload } from '../../shared/schemas/job.ts';
import type { JobsReport } from '../../shared/schemas/report.ts';
import { json } from '../fleet.ts';

/** Named one by one; the newest first. */
const mostNamed = 50;
const mostKnown = 20_000;
const good = new Set<JobIs['state']>(['succeeded', 'canceled']);

/** Takes one `is` of a job; an empty one: it is gone. */
export function learnJob(jobs: Map<string, JobIs>, job: string, payload: Uint8Array): void {
  const is = payload.length === 0 ? undefined : json(jobIsPayload, payload);
  if (!is) jobs.delete(job);
  else if (jobs.size < mostKnown) jobs.set(job, is);
}

/** Counts of all that are known, energy of what ran as far as nodes' watts are known, and those that have not ended well. */
export function jobsReport(jobs: ReadonlyMap<string, JobIs>): JobsReport | undefined {
  if (jobs.size === 0) return undefined;
  const all = [...jobs.values()];
  const inState = (...states: JobIs['state'][]) => all.filter(({ state }) => states.includes(state)).length;
  const known = all.flatMap(({ wh }) => wh ?? []);
  const named = all.filter(({ state }) => !good.has(state)).sort((a, b) => b.submitted_ms - a.submitted_ms);
  return {
    known: all.length,
    queued: inState('queued'),
    running: inState('running'),
    succeeded: inState('succeeded'),
    failed: inState('failed', 'rejected', 'timed-out'),
    canceled: inState('canceled'),
    ...(known.length === 0 ? {} : { wh: known.reduce((sum, wh) => sum + wh, 0) }),
    jobs: named.slice(0, mostNamed).map(({ job, state, tasks, succeeded, failed, wh, by, err }) => ({
      ...{ job, state, tasks, succeeded, failed, by, err },
      ...(wh === undefined ? {} : { wh }),
    })),
  };
}
