/** The dispatch core: a start over a large store, and what is bounded. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { dispatchLimits } from '../../broker/jobs/core/limits.ts';
import { Tasks, task } from '../../broker/jobs/core/tasks.ts';
import { World } from '../fixture/jobs-core-world.ts';

const test = suite('jobs: start and bounds');

test('a million tasks, half of them done, are dispatched again within 3 s of a start, in a few megabytes', () => {
  const world = new World();
  const n1 = world.node('n1', 1000);
  world.submit('big', { run: 'x', array: '1-1000000' });
  n1.work(undefined, 500);
  assert.is(world.core.job('big')?.is.succeeded, 500_000);
  world.outs.clear();
  world.sends.length = 0;
  global.gc?.();
  const before = process.memoryUsage();
  const began = process.cpuUsage();
  world.crash();
  n1.tasks.clear();
  n1.connect();
  // Of the processor, not of the clock: other tests run beside this one.
  const ms = process.cpuUsage(began).user / 1000;
  const after = process.memoryUsage();
  assert.is(n1.list().length, 1000);
  assert.is(world.core.job('big')?.is.succeeded, 500_000);
  assert.ok(ms < 1500, `${Math.round(ms)} ms`);
  const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  assert.ok(bytes < 40e6, `${bytes} bytes more`);
});

test('many commit records become one, with the same meaning', () => {
  const world = new World();
  const n1 = world.node('n1', 1);
  world.submit('a', { run: 'x', array: '1-5000', retries: 1, backoff_s: 0 });
  let turn = 0;
  n1.work(() => (++turn % 100 === 0 ? { why: 'exit', exit: 1 } : undefined), 2600);
  const records = () => [...world.disk.keys()].filter(key => key.startsWith('jobs/commit/')).length;
  assert.ok(records() < 1000, `${records()} records`);
  const before = world.core.job('a')?.is;
  world.crash();
  const after = world.core.job('a')?.is;
  assert.is(after?.succeeded, before?.succeeded);
  assert.is(after?.outs, before?.outs);
  n1.tasks.clear();
  n1.connect();
  n1.work();
  assert.is(world.state('a'), 'succeeded');
  const indexes = world.results('a').map(({ index }) => index);
  assert.is(new Set(indexes).size, 5000);
  assert.is(indexes.length, 5000);
  const seqs = (world.outs.get('a') ?? []).map(({ seq }) => seq);
  assert.equal(
    seqs,
    seqs.map((_, k) => k),
  );
});

test('ended jobs are bounded: the oldest goes first', () => {
  const world = new World();
  const n1 = world.node('n1', 100);
  const extra = 5;
  for (let k = 0; k < dispatchLimits.ended + extra; k++) {
    world.submit(`j${k}`, { run: 'x' });
    n1.work();
  }
  assert.is([...world.core.jobs()].length, dispatchLimits.ended);
  assert.is(world.core.job(`j${extra - 1}`), undefined);
  assert.is(world.state(`j${extra}`), 'succeeded');
});

test('totals count jobs and tasks', () => {
  const world = new World();
  const n1 = world.node('n1', 2);
  world.submit('a', { run: 'x', array: '1-5' });
  world.submit('b', { run: 'x' });
  assert.equal(world.core.totals(), { queued: 2, running: 0, tasks: { queued: 6, running: 0 } });
  n1.start();
  assert.equal(world.core.totals(), { queued: 1, running: 1, tasks: { queued: 4, running: 2 } });
  world.crash();
  assert.equal(world.core.totals().tasks, { queued: 6, running: 0 });
});

test('the table of tasks: what waits again comes first, and each once', () => {
  const tasks = new Tasks(4);
  assert.equal([tasks.take(), tasks.take()], [0, 1]);
  tasks.set(0, task.live);
  tasks.set(1, task.live);
  tasks.set(0, task.waiting);
  tasks.set(0, task.live);
  tasks.set(0, task.waiting);
  assert.is(tasks.take(), 0);
  tasks.set(0, task.live);
  assert.is(tasks.take(), 2);
  tasks.set(2, task.live);
  assert.is(tasks.take(), 3);
  tasks.set(3, task.succeeded);
  assert.is(tasks.take(), -1);
  assert.equal([tasks.count(task.live), tasks.ended], [3, 1]);
});

test.run();
