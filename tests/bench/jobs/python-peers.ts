/** dask.distributed and Celery, as Debian packages them, with no-op tasks. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { start } from '../../fixture/processes.ts';
import { startRedis } from './redis.ts';

const python = '/usr/bin/python3';
const here = import.meta.dirname;

/** Version of a Python package of the system's; undefined where it is not there. */
export function pythonVersion(module: string): string | undefined {
  try {
    const script = `import ${module}; print(${module}.__version__)`;
    return execFileSync(python, ['-c', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

const secondsOf = (line: string): number => (JSON.parse(line) as { seconds: number }).seconds;

/** Tasks per second; undefined where it is not installed. */
export async function dask(tasks: number, workers: number, threads: number): Promise<number | undefined> {
  if (pythonVersion('distributed') === undefined) return undefined;
  const run = start(python, [join(here, 'dask_noop.py'), String(tasks), String(workers), String(threads)]);
  const [line] = await run.line(/\{"seconds".*\}/, 600_000);
  await run.ended;
  return tasks / secondsOf(line);
}

/** Tasks per second; undefined where it, or Redis, is not installed. */
export async function celery(tasks: number, workers: number): Promise<number | undefined> {
  if (pythonVersion('celery') === undefined) return undefined;
  const redis = await startRedis();
  if (!redis) return undefined;
  const env = { ...process.env, BENCH_REDIS: String(redis.port), PYTHONPATH: here, C_FORCE_ROOT: '1' };
  const flags = ['-A', 'celery_noop', 'worker', '-c', String(workers), '-P', 'prefork', '-l', 'info'];
  const extra = ['--without-gossip', '--without-mingle', '--without-heartbeat'];
  const worker = start(python, ['-m', 'celery', ...flags, ...extra], { env, cwd: here });
  try {
    await worker.line(/ ready\./);
    const sender = start(python, [join(here, 'celery_noop.py'), String(tasks)], { env });
    const [line] = await sender.line(/\{"seconds".*\}/, 600_000);
    await sender.ended;
    return tasks / secondsOf(line);
  } finally {
    await worker.stop();
    await redis.process.stop();
  }
}
