/** Runs its share of the seeds in a thread of its own and posts what came of it. */
import { parentPort, workerData } from 'node:worker_threads';
import { run } from './run.ts';

export interface Share {
  readonly first: number;
  readonly runs: number;
  /** Every how-manieth seed is this worker's. */
  readonly step: number;
  readonly mostFailures: number;
}

export interface ShareOutcome {
  readonly runs: number;
  readonly failed: readonly number[];
  readonly steps: number;
  /** Virtual milliseconds. */
  readonly lasted: number;
  readonly answers: number;
  /** Results of jobs' tasks. */
  readonly committed: number;
}

if (parentPort) {
  const { first, runs, step, mostFailures } = workerData as Share;
  const failed: number[] = [];
  let [done, steps, lasted, answers, committed] = [0, 0, 0, 0, 0];
  for (let seed = first; seed < first + runs && failed.length < mostFailures; seed += step) {
    const outcome = run({ seed });
    if (outcome.violation) failed.push(seed);
    done++;
    steps += outcome.steps;
    lasted += outcome.lasted;
    answers += outcome.answers;
    committed += outcome.committed;
  }
  parentPort.postMessage({ runs: done, failed, steps, lasted, answers, committed } satisfies ShareOutcome);
}
