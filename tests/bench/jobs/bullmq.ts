/** BullMQ on a Redis that syncs every write: no-op jobs added in bulk until all are completed. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, start } from '../../fixture/processes.ts';
import { startRedis } from './redis.ts';

/** Installed for the run alone, into a folder that goes with it. */
export const bullmqVersion = '6.7.0';
let installed: string | undefined;

function install(): string {
  if (installed !== undefined) return installed;
  const place = folder('hearth-bullmq-');
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', '--prefix', place];
  execFileSync('npm', ['install', ...flags, `bullmq@${bullmqVersion}`, 'ioredis@5'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  installed = place;
  return place;
}

export interface QueueRun {
  /** Jobs per second, from the first add until the last is completed. */
  readonly perSecond: number;
  /** Add to active of one job in an idle queue, ms. */
  readonly startedMs: readonly number[];
}

/**
 * @param workers processes, each with this concurrency.
 * @returns undefined where there is no Redis.
 */
export async function bullmq(
  jobs: number,
  workers: number,
  concurrency: number,
  single: number,
): Promise<QueueRun | undefined> {
  const redis = await startRedis();
  if (!redis) return undefined;
  const cwd = install();
  const script = (name: string) => join(import.meta.dirname, name);
  const running = Array.from({ length: workers }, () =>
    start(process.execPath, [script('bullmq-worker.mjs'), String(redis.port), String(concurrency)], { cwd }),
  );
  try {
    await Promise.all(running.map(worker => worker.line(/ready/)));
    const args = [redis.port, jobs, Math.ceil(jobs / 10), single].map(String);
    const producer = start(process.execPath, [script('bullmq-producer.mjs'), ...args], { cwd });
    const [line] = await producer.line(/\{"seconds".*\}/, 600_000);
    const { seconds, started } = JSON.parse(line) as { seconds: number; started: number[] };
    return { perSecond: jobs / seconds, startedMs: started };
  } finally {
    await Promise.all(running.map(worker => worker.stop('SIGKILL')));
    await redis.process.stop();
  }
}

export const bullmqInstalled = (): string =>
  JSON.parse(readFileSync(join(install(), 'node_modules/bullmq/package.json'), 'utf8')).version;
