/** Manager, Worker and Job: a program as a node of a real cluster. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Job, JobError, Worker as WorkerType } from '../../client/index.ts';
import { type Cluster, up } from '../fixture/cluster.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { folder, patienceMs, start, until } from '../fixture/processes.ts';
import { rejection } from '../fixture/rejection.ts';

const root = join(import.meta.dirname, '../..');
const library = join(root, 'dist/client.js');
// As the package has it: the node is a file beside the library's.
const { Manager, Worker, Job: JobClass } = (await import(library)) as typeof import('../../client/index.ts');

const test = suite<{ cluster: Cluster }>('client: workers');

test.before(async context => {
  context.cluster = await up({ flags: ['--no-agent'] }).catch(() => up());
});
test.after(async ({ cluster }) => {
  assert.is(await cluster?.process.stop(), 0);
});

/**
 * A worker under an id that nobody had before: what is retained of it is its own, and a supervisor that was held up, which
 * takes the worker before for online still, takes this one for no twin of it.
 */
async function working(
  { url }: Cluster,
  node: string,
  jobs: readonly Job[],
  run: (manager: InstanceType<typeof Manager>, worker: WorkerType) => Promise<void>,
): Promise<void> {
  const worker = new Worker({ jobs, broker: url, node, data: folder('hearth-worker-') });
  const manager = new Manager({ broker: url });
  try {
    await manager.start();
    assert.is(await worker.start(), node);
    await run(manager, worker);
  } finally {
    await manager.stop();
    await worker.stop();
  }
}

test('a job is sent, run by its name in the program, and its result comes back', ({ cluster }) =>
  working(
    cluster,
    'greeting',
    [
      new JobClass({ name: 'greet', run: (payload: { name: string }) => ({ text: `hello, ${payload.name}` }) }),
      new (class extends JobClass<number[], number> {
        constructor() {
          super({ name: 'sum' });
        }
        override run(values: number[]) {
          return values.reduce((sum, value) => sum + value, 0);
        }
      })(),
    ],
    async manager => {
      assert.equal(await manager.sendJob('greet', { name: 'heap' }), { text: 'hello, heap' });
      assert.is(await manager.sendJob('sum', [1, 2, 3]), 6);
      const results = await Promise.all([1, 2, 3, 4, 5].map(value => manager.sendJob('sum', [value, value])));
      assert.equal(results, [2, 4, 6, 8, 10]);
      await until('the manager knows who has what', () => manager.workers.get('greeting')?.jobs.join() === 'greet,sum');
    },
  ));

test('what a job throws rejects, with what it logged', ({ cluster }) =>
  working(
    cluster,
    'breaking',
    [
      new JobClass({
        name: 'breaks',
        run(_payload, ctx) {
          ctx.log('about to');
          throw new Error('no paper');
        },
      }),
      new JobClass({ name: 'large', run: () => 'x'.repeat(70_000) }),
    ],
    async manager => {
      const error = await rejection<JobError>(manager.sendJob('breaks', 1, { retries: 0 }), /no paper/);
      assert.is(error.failures[0]?.code, 'error');
      assert.match(error.output ?? '', /about to/);
      await rejection(manager.sendJob('large', 1, { retries: 0 }), /at most 65536/);
    },
  ));

test('a job that keeps the program busy does not make the node flap; one that is canceled hears of it', ({
  cluster,
}) => {
  let aborted = false;
  return working(
    cluster,
    'busy',
    [
      new JobClass({
        name: 'busy',
        run(ms: number) {
          const end = performance.now() + ms;
          while (performance.now() < end);
          return 'done';
        },
      }),
      new JobClass({
        name: 'waits',
        run: (_payload, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              aborted = true;
              reject(signal.reason);
            });
          }),
      }),
    ],
    async manager => {
      const watcher = await connectClient(cluster.url, ['hearth/node/busy/status']);
      // Its birth is on its way when start() is done.
      await watcher.wait('it is online', ({ text }) => text === 'online');
      watcher.forget();
      assert.is(await manager.sendJob('busy', 7000), 'done');
      const since = watcher.heard.map(({ text }) => text);
      assert.equal(since, [], 'longer than a node may be silent');
      await watcher.close();
      const controller = new AbortController();
      const waiting = manager.sendJob('waits', 1, { signal: controller.signal, id: 'waits-here' });
      const jobs = await connectClient(cluster.url, ['hearth/job/waits-here/is']);
      await jobs.wait('it runs', ({ text }) => (JSON.parse(text) as { running: number }).running === 1);
      await jobs.close();
      controller.abort(new Error('never mind'));
      await rejection(waiting, /never mind/);
      await until('it has heard', () => aborted);
    },
  );
});

test('a program that is killed loses nothing: the job is done by the next one', async ({ cluster }) => {
  const data = folder('hearth-worker-');
  const program = (text: string) => `
    import { Job, Worker } from ${JSON.stringify(library)};
    const worker = new Worker({
      broker: ${JSON.stringify(cluster.url)}, node: 'killed', data: ${JSON.stringify(data)},
      jobs: [new Job({ name: 'slow', run: ${text} })],
    });
    console.log('ready', await worker.start());`;
  const run = (text: string) => start(process.execPath, ['--input-type=module', '-e', program(text)]);
  const first = run("() => { console.log('running'); return new Promise(() => {}); }");
  await first.line(/ready killed/);
  const manager = new Manager({ broker: cluster.url });
  const result = manager.sendJob('slow', 1, { id: 'slow-killed' });
  await first.line(/running/);
  // An attempt counts when the node has said that it started.
  const jobs = await connectClient(cluster.url, ['hearth/job/slow-killed/is']);
  await jobs.wait('it runs', ({ text }) => (JSON.parse(text) as { running: number }).running === 1);
  await jobs.close();
  await first.stop('SIGKILL');
  const second = run("(_payload, ctx) => 'attempt ' + ctx.attempt");
  await second.line(/ready killed/, patienceMs);
  assert.is(await result, 'attempt 2');
  await manager.stop();
  await second.stop('SIGKILL');
});

test('what cannot be is said', async ({ cluster }) => {
  assert.throws(() => new JobClass({ name: 'a b' }), /no name of a job/);
  assert.throws(() => new Worker({ jobs: [new JobClass({ name: 'a' }), new JobClass({ name: 'a' })] }), /already/);
  const worker = new Worker({ broker: 'mqtt://192.0.2.1', data: folder(), jobs: [] });
  await rejection(worker.start(), /has joined no cluster/);
  const wrong = new Worker({ broker: cluster.url, node: 'A b', data: folder() });
  await rejection(wrong.start(), /node/);
});

test.run();
