/** What `hearth run` gives back: the order of output, the joblog, the progress line. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { InOrder } from '../../cli/run/in-order.ts';
import { Joblog, logLine, readLog, succeededIn } from '../../cli/run/joblog.ts';
import { duration, Rate, taskLine } from '../../cli/run/progress.ts';
import { failureLine, jsonLine, printed } from '../../cli/run/text.ts';
import type { JobIs } from '../../shared/schemas/job.ts';
import type { CommittedResult } from '../../shared/schemas/job-out.ts';

const test = suite<{ folder: string }>('hearth run: output');
test.before(context => {
  context.folder = mkdtempSync(join(tmpdir(), 'cli-run-output-'));
});
test.after(({ folder }) => rmSync(folder, { recursive: true }));

const result = (index: number, end?: CommittedResult['end']): CommittedResult => ({
  ...{ index, state: 'succeeded', node: 'n1', attempts: 1, ms: 5 },
  ...(end && { end }),
});

// Results

test('whatever order results come in, they are given in that of the tasks, all of them, once', () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray(
        Array.from({ length: 60 }, (_, index) => index),
        { minLength: 60 },
      ),
      fc.integer({ min: 1, max: 9 }),
      fc.constantFrom(0, 1000, 1e9),
      (order, batch, memory) => {
        const inOrder = new InOrder({ memory });
        const text = (index: number) => (index % 3 === 0 ? undefined : { out: `é${index}\n`.repeat(index % 7) });
        const came: CommittedResult[] = [];
        for (let from = 0; from < order.length; from += batch) {
          came.push(...inOrder.take(order.slice(from, from + batch).map(index => result(index, text(index)))));
        }
        came.push(...inOrder.rest());
        const indexes = came.map(({ index }) => index);
        assert.equal(
          indexes,
          [...indexes].sort((a, b) => a - b),
        );
        // What says nothing need not be given.
        const told = came.filter(({ end }) => end?.out);
        const expected = Array.from({ length: 60 }, (_, index) => result(index, text(index))).filter(
          one => one.end?.out,
        );
        assert.equal(told, expected);
      },
    ),
    { numRuns: 100 },
  );
});

test('a task that is tried again is given again; what never had its turn is given at the end', () => {
  const inOrder = new InOrder({ memory: 10 });
  const give = (...results: CommittedResult[]) =>
    [...inOrder.take(results)].map(({ index, end }) => `${index}${end?.out}`);
  assert.equal(give(result(2, { out: 'c' }), result(0, { out: 'a' })), ['0a']);
  assert.equal(give(result(0, { out: 'again' })), ['0again']);
  assert.equal(give(result(2, { out: 'newer' })), []);
  assert.equal(
    [...inOrder.rest()].map(({ end }) => end?.out),
    ['newer'],
  );
});

test('who printed nothing, left a file and came early has its turn all the same', () => {
  for (const memory of [0, 1e9]) {
    const inOrder = new InOrder({ memory });
    const left = result(1, { exit: 0, out: '', errout: '', files: { res: 'f'.repeat(64) } });
    assert.equal([...inOrder.take([left])], []);
    assert.equal([...inOrder.take([result(0)])], [result(0), left]);
  }
});

test('output stands as it is; a tag before every line of it', () => {
  assert.equal(printed(result(0, { exit: 0, out: 'a\nb', errout: 'e\n' }), undefined), { out: 'a\nb', err: 'e\n' });
  assert.equal(printed(result(0, { exit: 0, out: 'a\n\nb', errout: '' }), 'x'), { out: 'x\ta\nx\t\nx\tb\n', err: '' });
  assert.equal(printed(result(0, { value: 'text' }), undefined), { out: 'text\n', err: '' });
  assert.equal(printed(result(0, { value: [1] }), 't'), { out: 't\t[1]\n', err: '' });
  assert.equal(printed(result(0), undefined), { out: '', err: '' });
  assert.equal(printed(result(0, { exit: 0, out: 'end', out_sha256: 'f' }), undefined).whole, 'f');
  const failed = { ...result(6, { why: 'exit', exit: 3, out: 'x' }), state: 'failed', attempts: 2 } as const;
  assert.is(failureLine(failed, 7), 'task 7 failed on n1 (2 attempts): exit status 3');
  assert.equal(JSON.parse(jsonLine(failed, 7, { i: 'v' })), {
    ...{ task: 7, state: 'failed', node: 'n1', attempts: 2, ms: 5, args: { i: 'v' }, why: 'exit', exit: 3, out: 'x' },
  });
});

// The joblog

test('the joblog has the columns of GNU parallel, and says what need not be run again', ({ folder }) => {
  const file = join(folder, 'log');
  const line = (seq: number, state: 'succeeded' | 'failed', end?: CommittedResult['end']) =>
    logLine({ ...result(0, end), state }, { seq, command: 'a\tb\nc', send: 3 }, 2000);
  const log = new Joblog(file, false);
  log.write(line(1, 'succeeded', { out: 'é' }) + line(2, 'failed', { why: 'exit', exit: 2 }));
  log.write(line(3, 'failed', { why: 'timeout' }) + line(4, 'failed', { why: 'signal', signal: 'KILL' }));
  log.close();
  assert.match(readLog(file), /\n4\tn1\t.*\t0\t9\ta b c\n$/);
  assert.equal(readLog(file).split('\n').slice(0, 2), [
    'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand',
    '1\tn1\t1.995\t     0.005\t3\t2\t0\t0\ta b c',
  ]);
  assert.equal([...succeededIn(readLog(file))], [1]);
  // Killed while it wrote: the line that was cut off is no success, and stays a line of its own.
  appendFileSync(file, '5\tn1\t1\t1\t0\t0\t0');
  const again = new Joblog(file, true);
  again.write(line(2, 'succeeded') + line(1, 'failed', { exit: 1 }));
  again.close();
  assert.equal([...succeededIn(readLog(file))], [2]);
  assert.is(readFileSync(file, 'utf8').match(/Seq/g)?.length, 1);
  new Joblog(file, false).close();
  assert.is(succeededIn(readLog(file)).size, 0, 'without --resume it begins anew');
  assert.throws(() => new Joblog(folder, false), /--joblog: .*EISDIR/);
});

// Progress

const is = (more: Partial<JobIs>): JobIs => ({
  ...{
    job: 'solve-1',
    state: 'running',
    paused: false,
    tasks: 1000,
    queued: 500,
    running: 4,
    succeeded: 490,
    failed: 6,
  },
  ...{ pct: 49.6, outs: 3, by: 'me', err: '', submitted_ms: 0, ...more },
});

test('the progress line fits any terminal, and says tasks, rate and time left', () => {
  assert.match(
    taskLine(is({}), 12, 120),
    /^solve-1 \[#{12}-{12}\] {2}49 % {2}496\/1000 {2}6 failed {2}4 running {2}12\/s {2}42 s left$/,
  );
  for (let columns = 1; columns < 130; columns++) assert.ok(taskLine(is({}), 0.01, columns).length < columns + 1);
  assert.not.match(taskLine(is({ paused: true }), 3, 120), /left/);
  assert.match(taskLine(is({ tasks: 0 }), 0, 80), /0 %/);
  assert.equal([0.4, 59.2, 3601, 90_000].map(duration), ['1 s', '1 min 0 s', '1 h 0 min', '1 d 1 h']);
});

test('the rate is that of late', () => {
  const rate = new Rate(0, 0);
  assert.is(rate.at(50, 10), 0);
  assert.is(rate.at(1000, 100), 100);
  for (let s = 2; s < 40; s++) rate.at(s * 1000, 100 + 10 * (s - 1));
  assert.ok(Math.abs(rate.at(40_000, 100 + 390) - 10) < 0.5);
});

test.run();
