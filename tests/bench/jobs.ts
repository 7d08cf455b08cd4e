/** Jobs beside the queues that people know: throughput, time to start, many short commands, how well nodes are used. */
import { start } from '../fixture/processes.ts';
import { findProgram } from '../fixture/programs.ts';
import { bullmq, bullmqVersion } from './jobs/bullmq.ts';
import { Fabric, perfectUse } from './jobs/hearth.ts';
import { type Million, million } from './jobs/million.ts';
import { celery, dask, pythonVersion } from './jobs/python-peers.ts';
import { programVersion } from './machine.ts';
import type { BenchOptions, Report } from './report.ts';
import { median, percentile } from './statistics.ts';
import { figure } from './table.ts';

const agents = 20;

/** `reached`, or by how much it was missed, where more is better. */
const atLeast = (value: number, target: number): string =>
  value >= target ? 'reached' : `missed by ${Math.ceil((1 - value / target) * 100)} %`;
const atMost = (value: number, target: number): string =>
  value <= target ? 'reached' : `missed by ${Math.ceil((value / target - 1) * 100)} %`;

async function parallel(commands: number): Promise<number | undefined> {
  const program = findProgram('parallel');
  if (!program) return undefined;
  const at = performance.now();
  const args = ['--will-cite', 'true', ':::', ...Array.from({ length: commands }, (_, i) => String(i + 1))];
  const code = await start(program, args).ended;
  if (code !== 0) throw new Error(`parallel ended with ${code}`);
  return (performance.now() - at) / 1000;
}

export async function run(options: BenchOptions): Promise<Report> {
  const rounds = options.rounds ?? (options.quick ? 1 : 3);
  const share = options.quick ? 0.2 : 1;
  const is = (name: string) => options.only.length === 0 || options.only.some(only => name.startsWith(only));
  const rows: string[][] = [];
  const raw: Record<string, unknown> = {};
  const row = (what: string, value: number | undefined, unit: string, target = '', verdict = '') =>
    rows.push([what, value === undefined ? 'not installed' : `${figure(value)} ${unit}`, target, verdict]);

  if (is('throughput')) {
    const tasks = 200_000 * share;
    const [ours, single, queue, others]: [number[], number[], number[], Record<string, number[]>] = [[], [], [], {}];
    for (let round = 0; round < rounds; round++) {
      const fabric = await Fabric.start(agents);
      await fabric.through({ plugin: 'noop', array: `1-${tasks / 10}` });
      for (let job = 0; job < 3; job++) {
        ours.push(tasks / (await fabric.through({ plugin: 'noop', array: `1-${tasks}` })));
      }
      const few = tasks / 10;
      single.push(few / (await fabric.through({ plugin: 'noop', array: `1-${few}`, batch: 1 })));
      await fabric.stop();
      // Which of these is quickest depends on the day: the better one counts.
      const theirs = [await bullmq(tasks / 5, 2, 50, 0), await bullmq(tasks / 5, 4, 50, 0)];
      const best = Math.max(...theirs.map(run => run?.perSecond ?? Number.NaN));
      if (!Number.isNaN(best)) queue.push(best);
      for (const [name, rate] of [
        ['dask.distributed, 2 processes', await dask(tasks / 40, 2, 1)],
        ['Celery on the same Redis, 2 processes', await celery(tasks / 40, 2)],
      ] as const) {
        if (rate === undefined) continue;
        others[name] ??= [];
        others[name].push(rate);
      }
    }
    Object.assign(raw, { ours, single, queue, others });
    const rate = median(ours);
    row(`no-op plugin tasks, submit to committed, ${agents} agents`, rate, '/s', '≥ 25,000 /s', atLeast(rate, 25_000));
    row('the same, one task to a message', median(single), '/s', '≥ 4,000 /s', atLeast(median(single), 4000));
    row('BullMQ, no-op jobs, added to completed', queue.length > 0 ? median(queue) : undefined, '/s');
    if (queue.length > 0) row('Hearth ÷ BullMQ', rate / median(queue), '×', '≥ 3 ×', atLeast(rate / median(queue), 3));
    for (const [name, rates] of Object.entries(others)) row(name, median(rates), '/s');
  }
  if (is('start')) {
    const all: number[] = [];
    const theirs: number[] = [];
    const fabric = await Fabric.start(agents);
    // Every node has a worker with the plugin, as it has where tasks came in the last half minute.
    await fabric.through({ plugin: 'stamp', array: '1-20000' });
    await fabric.startedMs(20);
    for (let round = 0; round < rounds; round++) all.push(...(await fabric.startedMs(200 * share)));
    await fabric.stop();
    const peer = await bullmq(1000, 2, 50, 100);
    theirs.push(...(peer?.startedMs ?? []));
    const sorted = (values: number[]) => values.toSorted((a, b) => a - b);
    Object.assign(raw, { started: all, theirsStarted: theirs });
    const [p50, p99] = [percentile(sorted(all), 0.5), percentile(sorted(all), 0.99)];
    row('submit to started, idle cluster: p50', p50, 'ms', '≤ 3 ms', atMost(p50, 3));
    row('submit to started, idle cluster: p99', p99, 'ms', '≤ 15 ms', atMost(p99, 15));
    if (theirs.length > 0) row('BullMQ, add to active: p50', percentile(sorted(theirs), 0.5), 'ms');
    if (theirs.length > 0) row('BullMQ, add to active: p99', percentile(sorted(theirs), 0.99), 'ms');
  }
  if (is('commands')) {
    const commands = 1000;
    const [ours, theirs]: [number[], number[]] = [[], []];
    const fabric = await Fabric.start(0);
    await fabric.run(['--array', '1-10', '--', 'true']);
    for (let round = 0; round < rounds; round++) {
      ours.push(await fabric.run(['--array', `1-${commands}`, '--', 'true']));
      const peer = await parallel(commands);
      if (peer !== undefined) theirs.push(peer);
    }
    await fabric.stop();
    Object.assign(raw, { commands: ours, parallel: theirs });
    row(`hearth run of ${commands} × true, one local node`, median(ours), 's');
    row('GNU parallel', theirs.length > 0 ? median(theirs) : undefined, 's');
    const ratio = median(theirs) / median(ours);
    if (theirs.length > 0) row('GNU parallel ÷ Hearth', ratio, '×', '> 1 ×', atLeast(ratio, 1));
  }
  if (is('use')) {
    const tasks = 20_000 * share;
    const uses: number[] = [];
    for (let round = 0; round < rounds; round++) uses.push((await perfectUse(agents, tasks)).use * 100);
    raw.uses = uses;
    const what = `tasks of 10 ms on ${agents} simulated one-core nodes: time in tasks ÷ time in all`;
    row(what, median(uses), '%', '≥ 95 %', atLeast(median(uses), 95));
  }
  if (is('million')) {
    const runs: Million[] = [];
    for (let round = 0; round < rounds; round++) runs.push(await million(1_000_000 * share));
    raw.million = runs;
    const of = (pick: (run: Million) => number) => median(runs.map(pick));
    const what = `supervisor killed with ${figure(1_000_000 * share)} tasks, half of them done`;
    row(
      `${what}: started again and ready`,
      of(run => run.readyS),
      's',
    );
    const work = of(run => run.workS);
    row(`${what}: new results`, work, 's', '≤ 3 s', atMost(work, 3));
    const most = of(run => run.mostMb);
    row(`${what}: most memory until then`, most, 'MB', '≤ 400 MB', atMost(most, 400));
  }
  const python = ['distributed', 'celery'].flatMap(name => {
    const version = pythonVersion(name);
    return version === undefined ? [] : [`${name} ${version}`];
  });
  return {
    name: 'jobs',
    title: 'Jobs',
    versions: ['Hearth', `BullMQ ${bullmqVersion}`, `Redis ${programVersion('redis-server') ?? 'not here'}`, ...python],
    conditions: [
      `median of ${rounds} rounds, Hearth and peers in turns`,
      'everything on one machine, nothing pinned, real MQTT on loopback',
      "Hearth's journal and Redis (appendfsync always) sync before they answer",
    ],
    tables: [{ title: 'From submitted to committed', columns: ['what', 'value', 'target', ''], rows }],
    notes: [
      'BullMQ: added in bulks of 1,000 by one process; 2 or 4 worker processes with 50 jobs at a time each, whichever is quicker.',
      'Celery and dask get fewer tasks, since they would take minutes; Celery keeps each result in Redis until it is counted.',
      'Started is taken inside the task, on the clock that all processes of the machine share.',
    ],
    raw,
  };
}
