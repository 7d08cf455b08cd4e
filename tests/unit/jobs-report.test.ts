/** Jobs in `hearth report`: counts, energy, and those that have not ended well; what is said of them is hostile. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { reportHtml } from '../../cli/report/html.ts';
import { jobsReport, learnJob } from '../../cli/report/jobs.ts';
import { reportText } from '../../cli/report/text.ts';
import type { JobIs } from '../../shared/schemas/job.ts';
import { type Report, reportSchema } from '../../shared/schemas/report.ts';

const test = suite('jobs in the report');

const is = (job: string, rest: Partial<JobIs>): Uint8Array => {
  const numbers = { tasks: 4, queued: 0, running: 0, succeeded: 4, failed: 0, pct: 100, outs: 1 };
  const said = { job, state: 'succeeded', paused: false, ...numbers, by: 'anna', err: '', submitted_ms: 1, ...rest };
  return Buffer.from(JSON.stringify(said));
};

function known(...all: readonly (readonly [job: string, rest: Partial<JobIs>])[]) {
  const jobs = new Map<string, JobIs>();
  for (const [job, rest] of all) learnJob(jobs, job, is(job, rest));
  return jobs;
}

const report = (jobs: Report['jobs']): Report => ({
  version: 1,
  made_ms: 0,
  base: 'hearth',
  supervisor: 'online',
  summary: {
    ...{ nodes: 0, online: 0, converged: 0, items_wrong: 0, pass: 0, fail: 0, unknown: 0 },
    failing: { info: 0, warning: 0, critical: 0 },
  },
  nodes: [],
  ...(jobs ? { jobs } : {}),
});

test('counts and watt-hours of all; named are those that have not ended well, the newest first', () => {
  const made = jobsReport(
    known(
      ['done', { wh: 1.25 }],
      ['old', { state: 'failed', failed: 1, succeeded: 3, err: 'task 2: exit status 1', submitted_ms: 5 }],
      ['now', { state: 'running', succeeded: 1, wh: 0.5, submitted_ms: 9 }],
      ['late', { state: 'timed-out', succeeded: 0, submitted_ms: 7 }],
      ['off', { state: 'canceled' }],
    ),
  );
  assert.ok(made);
  const { jobs, ...counts } = made;
  assert.equal(counts, { known: 5, queued: 0, running: 1, succeeded: 1, failed: 2, canceled: 1, wh: 1.75 });
  assert.equal(
    jobs.map(({ job }) => job),
    ['now', 'late', 'old'],
  );
  assert.ok(reportSchema.safeParse(report(made)).success);
  const text = reportText(report(made));
  assert.match(text, /5 jobs: 1 running, 0 queued, 1 succeeded, 2 failed, 1 canceled; 1\.75 Wh\./);
  assert.match(text, /old +failed +3\/4 +1 +anna +task 2: exit status 1/);
});

test('a job that is gone is not reported, and without jobs there is no word of them', () => {
  const jobs = known(['a', {}]);
  learnJob(jobs, 'a', new Uint8Array());
  assert.is(jobsReport(jobs), undefined);
  assert.not.match(reportText(report(undefined)), /jobs/);
  learnJob(jobs, 'b', Buffer.from('{"job":"b"}'));
  assert.is(jobs.size, 0, 'what is no `is` is none');
});

test('nothing that a job says is markup, or moves the terminal', () => {
  const made = jobsReport(known(['x', { state: 'failed', by: '<b>', err: '<script>\u001b[2J' }]));
  assert.ok(made);
  assert.not.match(reportHtml(report(made)), /<script>|<b>/);
  assert.not.ok(reportText(report(made)).includes('\u001b'));
});

test.run();
