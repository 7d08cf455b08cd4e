/** Many runs on all cores: the simulator is bundled once (a loader in every thread would cost more than the runs) and shared out. */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import type { Share, ShareOutcome } from './worker.ts';

export interface PoolOutcome extends Omit<ShareOutcome, 'failed'> {
  readonly failed: readonly number[];
}

export async function runMany(first: number, runs: number, mostFailures = 5): Promise<PoolOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-sim-'));
  try {
    const outfile = join(folder, 'worker.mjs');
    await build({
      entryPoints: [join(import.meta.dirname, 'worker.ts')],
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      outfile,
      logLevel: 'error',
    });
    const step = Math.max(1, Math.min(availableParallelism(), 8));
    const shares = Array.from({ length: step }, (_, index) =>
      runShare(outfile, { first: first + index, runs: runs - index, step, mostFailures }),
    );
    const outcomes = await Promise.all(shares);
    const sum = (pick: (outcome: ShareOutcome) => number) => outcomes.reduce((total, one) => total + pick(one), 0);
    return {
      runs: sum(one => one.runs),
      failed: outcomes.flatMap(one => one.failed).sort((a, b) => a - b),
      steps: sum(one => one.steps),
      lasted: sum(one => one.lasted),
      answers: sum(one => one.answers),
      committed: sum(one => one.committed),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runShare(outfile: string, share: Share): Promise<ShareOutcome> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(outfile, { workerData: share });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', code => reject(new Error(`a simulation thread ended with code ${code} and no result`)));
  });
}
