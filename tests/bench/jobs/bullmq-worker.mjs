// A BullMQ worker process: no-op tasks. argv: port of Redis, concurrency; run in the folder where bullmq is installed.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { Worker } = createRequire(join(process.cwd(), 'x.js'))('bullmq');
const [port, concurrency] = process.argv.slice(2).map(Number);
const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
const worker = new Worker('bench', async () => null, { connection, concurrency });
await worker.waitUntilReady();
console.log('ready');
process.once('SIGTERM', () => process.exit(0));
