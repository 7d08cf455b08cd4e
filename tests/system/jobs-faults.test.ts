/**
 * Jobs on a real supervisor and three real agents while these are killed, stopped, cut off, frozen and out of disk: no
 * task is lost, none committed twice. `HEARTH_FAULT_RUNS` says how many runs, `HEARTH_FAULT_SEED` the first one's seed;
 * a run that fails names its own, and `HEARTH_FAULT_RUNS=1 HEARTH_FAULT_SEED=…` draws the same jobs and faults again.
 * Shares cores: what it gets done in its time depends on them.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkJob } from '../fixture/jobs-faults-check.ts';
import { FaultyCluster } from '../fixture/jobs-faults-cluster.ts';
import { describeFault, type Fault, type FaultKind, type PlannedJob, planRun } from '../fixture/jobs-faults-plan.ts';
import { folder } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const faults = suite('jobs under faults');

const runs = Number(process.env.HEARTH_FAULT_RUNS ?? 30);
const firstSeed = Number(process.env.HEARTH_FAULT_SEED ?? Math.floor(Math.random() * 1_000_000_000));
/** Without a number of runs: as many as there is time for. */
const limitMs = process.env.HEARTH_FAULT_RUNS === undefined ? 150_000 : Number.POSITIVE_INFINITY;
/** Runs of one cluster; then another one begins. */
const perCluster = 25;

const counted = new Map<FaultKind, number>();
const total = { runs: 0, jobs: 0, tasks: 0, faults: 0 };

const after = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

/** The same document is the same job, whenever it comes; another one under its id is refused. */
async function sendAgain({ watch }: FaultyCluster, { id, document }: PlannedJob): Promise<string[]> {
  await watch.until(`${id} is there`, () => watch.is.has(id));
  await watch.send(id, document);
  for (;;) {
    const answer = await watch.ask(`hearth/job/${id}/set`, { ...document, priority: 7 });
    if (answer?.ok) return [`${id}: another document was accepted under its id`];
    if (answer && !/journal/.test(answer.error ?? '')) return [];
    await after(200);
  }
}

async function suffer(cluster: FaultyCluster, fault: Fault, jobs: readonly PlannedJob[]): Promise<string[]> {
  await after(fault.at);
  counted.set(fault.kind, (counted.get(fault.kind) ?? 0) + 1);
  total.faults++;
  const again = jobs[fault.whom % jobs.length];
  if (fault.kind === 'sent again' && again) return await sendAgain(cluster, again);
  await cluster.suffer(fault);
  return [];
}

async function run(cluster: FaultyCluster, seed: number): Promise<void> {
  const traces = folder('hearth-traces-');
  const { watch } = cluster;
  const plan = planRun(seed, traces);
  const began = performance.now();
  const wrong: string[] = [];
  try {
    const sent = Promise.all(plan.jobs.map(({ id, document }) => watch.send(id, document)));
    const all = await Promise.all([sent, ...plan.faults.map(fault => suffer(cluster, fault, plan.jobs))]);
    wrong.push(...all.flatMap(said => said.filter(text => text !== undefined)));
    for (const { id } of plan.jobs)
      await watch.until(`${id} has ended`, () => watch.is.get(id)?.ended_ms !== undefined);
    for (const job of plan.jobs) wrong.push(...(await checkJob(job, traces, watch)));
    wrong.push(...watch.wrong.splice(0));
    await cluster.ready();
    for (const { id } of plan.jobs.toReversed()) {
      const answer = await watch.ask(`hearth/job/${id}/do/forget`, {});
      if (answer && !answer.ok) wrong.push(`${id} is not forgotten: ${answer.error}`);
      watch.forget(id);
    }
  } catch (error) {
    wrong.push((error as Error).message);
  }
  total.runs++;
  total.jobs += plan.jobs.length;
  for (const { tasks } of plan.jobs) total.tasks += tasks;
  const said = plan.faults.map(describeFault).join('; ');
  console.log(`seed ${seed}: ${plan.jobs.length} jobs, ${((performance.now() - began) / 1000).toFixed(1)} s; ${said}`);
  if (wrong.length === 0) return;
  const jobs = plan.jobs.map(({ id, document }) => `${id}: ${JSON.stringify(document).slice(0, 300)}`).join('\n');
  throw new Error(
    `HEARTH_FAULT_RUNS=1 HEARTH_FAULT_SEED=${seed}\n${wrong.join('\n').slice(0, 8000)}\n${said}\n${jobs}\n${cluster.said()}`,
  );
}

testWith(faults, ['sh'], `${runs} runs from seed ${firstSeed}: nothing lost, nothing committed twice`, async () => {
  const began = performance.now();
  const left = () => performance.now() - began < limitMs;
  const failed: string[] = [];
  for (let at = 0; at < runs && left(); ) {
    const cluster = await FaultyCluster.begin();
    for (const end = Math.min(runs, at + perCluster); at < end && left(); at++) {
      try {
        await run(cluster, firstSeed + at);
      } catch (error) {
        console.log((error as Error).message);
        failed.push(`${firstSeed + at}`);
        at++;
        break;
      }
    }
    await cluster.end();
  }
  const kinds = [...counted].map(([kind, count]) => `${kind} ${count}`).join(', ');
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(
    `${total.runs} runs, ${total.jobs} jobs, ${total.tasks} tasks, ${total.faults} faults (${kinds}), ${failed.length} failed, ${seconds} s`,
  );
  assert.equal(failed, [], 'seeds of runs that failed');
});

faults.run();
