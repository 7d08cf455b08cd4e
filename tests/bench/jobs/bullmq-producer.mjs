// Adds no-op jobs to BullMQ in bulk and waits until all are completed, as Redis counts them. argv: port, jobs, warm-up
// jobs; prints {"seconds":…}. Then one at a time: add to started, ms, for argv[4] jobs.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { Queue, QueueEvents } = createRequire(join(process.cwd(), 'x.js'))('bullmq');
const [port, jobs, warmUp, single] = process.argv.slice(2).map(Number);
const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
const queue = new Queue('bench', { connection });
await queue.waitUntilReady();

async function through(n) {
  const before = await queue.getCompletedCount();
  const at = performance.now();
  for (let i = 0; i < n; i += 1000) {
    const batch = Array.from({ length: Math.min(1000, n - i) }, (_, k) => ({ name: 'noop', data: i + k }));
    await queue.addBulk(batch);
  }
  while ((await queue.getCompletedCount()) < before + n) await new Promise(resolve => setTimeout(resolve, 5));
  return (performance.now() - at) / 1000;
}

if (warmUp > 0) await through(warmUp);
const seconds = await through(jobs);
const started = [];
const events = new QueueEvents('bench', { connection });
await events.waitUntilReady();
for (let i = 0; i < single; i++) {
  // An event may be missed: then this one does not count.
  const active = new Promise(resolve => {
    events.once('active', resolve);
    setTimeout(resolve, 2000);
  });
  const at = performance.now();
  await queue.add('noop', i);
  await active;
  const took = performance.now() - at;
  if (took < 2000) started.push(took);
  await new Promise(resolve => setTimeout(resolve, 20));
}
console.log(JSON.stringify({ seconds, started }));
process.exit(0);
