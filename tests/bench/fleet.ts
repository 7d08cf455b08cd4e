/** The supervisor with a fleet of simulated nodes over real MQTT connections: what it costs, and how it comes back. */
import { join } from 'node:path';
import { type Cluster, hearthCommand, up } from '../fixture/cluster.ts';
import { folder, freePort, type Started, start } from '../fixture/processes.ts';
import { cpuMicros, rssKb } from './cpu.ts';
import { allOnline, type Delay, loopDelay, loopDelayIn } from './fleet/watch.ts';
import { packageVersion } from './machine.ts';
import { pinning, pinSelf } from './pin.ts';
import type { BenchOptions, Report } from './report.ts';
import { verdict } from './statistics.ts';
import { figure } from './table.ts';

interface FleetCase {
  readonly nodes: number;
  readonly periodMs: number;
  /** Targets, where the project has set one. */
  readonly coreAtMost?: number;
  readonly rssMbAtMost?: number;
  readonly restart?: boolean;
}

const cases: readonly FleetCase[] = [
  { nodes: 1000, periodMs: 10_000 },
  { nodes: 2000, periodMs: 10_000, coreAtMost: 0.5, rssMbAtMost: 300, restart: true },
  { nodes: 5000, periodMs: 10_000 },
];

const online = async (cluster: Cluster): Promise<number> => {
  const answer = await fetch(`http://127.0.0.1:${cluster.ready.http}/api/fleet`);
  const { nodes } = (await answer.json()) as { nodes: { online: boolean }[] };
  return nodes.filter(node => node.online).length;
};

async function measure(fleet: FleetCase, quick: boolean): Promise<{ rows: string[][]; raw: object }> {
  const [mqttPort, httpPort] = [await freePort(), await freePort()];
  const data = folder('hearth-bench-');
  const file = join(data, 'loop-delay.json');
  const supervisor = {
    data: join(data, 'data'),
    mqttPort,
    httpPort,
    flags: ['--no-agent'],
    env: loopDelayIn(file),
    under: ['taskset', '-c', '0'],
  };
  let cluster = await up(supervisor);
  const count = String(fleet.nodes);
  const flags = ['simulate', '--nodes', count, '--broker', cluster.url, '--period', String(fleet.periodMs)];
  const agents: Started = start('taskset', ['-c', '1', process.execPath, hearthCommand, ...flags]);
  const first = await allOnline(cluster, fleet.nodes, performance.now(), 240_000);
  const pid = cluster.ready.pid;
  // Let the births' garbage settle: one telemetry period.
  await new Promise(resolve => setTimeout(resolve, fleet.periodMs));
  await loopDelay(pid, file);
  const agentsBefore = cpuMicros(agents.pid);
  const before = cpuMicros(pid);
  const at = performance.now();
  await new Promise(resolve => setTimeout(resolve, quick ? 10_000 : 60_000));
  const micros = (performance.now() - at) * 1000;
  const core = (cpuMicros(pid) - before) / micros;
  const agentCore = (cpuMicros(agents.pid) - agentsBefore) / micros / fleet.nodes;
  const rssMb = rssKb(pid) / 1024;
  const steady = await loopDelay(pid, file);
  if ((await online(cluster)) < fleet.nodes) throw new Error('nodes went offline under the measurement');
  const name = `${fleet.nodes} nodes`;
  const limit = (most: number | undefined) => (most === undefined ? '' : `≤ ${most}`);
  const judged = (value: number, most: number | undefined) => (most === undefined ? '' : verdict(value, most));
  const rows = [
    [name, 'supervisor, cores', figure(core), limit(fleet.coreAtMost), judged(core, fleet.coreAtMost)],
    [name, 'supervisor, RSS MB', figure(rssMb), limit(fleet.rssMbAtMost), judged(rssMb, fleet.rssMbAtMost)],
    [name, 'supervisor, RSS kB per node', figure((rssMb * 1024) / fleet.nodes), '', ''],
    [name, 'event-loop delay p99, ms', figure(steady.p99), '', ''],
    [name, 'all online from a cold start, s', figure(first), '', ''],
    [name, 'simulated agents, RSS kB each', figure(rssKb(agents.pid) / fleet.nodes), '', ''],
    [name, 'simulated agents, % of a core each', figure(agentCore * 100), '', ''],
  ];
  let back: { seconds: number; delay: Delay } | undefined;
  if (fleet.restart) {
    await cluster.process.stop('SIGKILL');
    cluster = await up(supervisor);
    const seconds = await allOnline(cluster, fleet.nodes, performance.now(), 120_000);
    back = { seconds, delay: await loopDelay(cluster.ready.pid, file) };
    rows.push([
      name,
      'all online after a supervisor kill -9 and restart, s',
      figure(seconds),
      '≤ 15',
      verdict(seconds, 15),
    ]);
    rows.push([
      name,
      'event-loop delay p99 meanwhile, ms',
      figure(back.delay.p99),
      '≤ 100',
      verdict(back.delay.p99, 100),
    ]);
    rows.push([name, 'longest event-loop delay meanwhile, ms', figure(back.delay.max), '', '']);
  }
  await agents.stop();
  await cluster.process.stop();
  return { rows, raw: { fleet, core, rssMb, steady, first, back } };
}

export async function run(options: BenchOptions): Promise<Report> {
  const chosen = cases.filter(fleet => options.only.length === 0 || options.only.includes(String(fleet.nodes)));
  pinSelf(1);
  const outcomes = [];
  for (const fleet of options.quick && options.only.length === 0 ? chosen.slice(0, 2) : chosen) {
    outcomes.push(await measure(fleet, options.quick));
  }
  const columns = ['fleet', 'figure', 'value', 'target', ''];
  return {
    name: 'fleet',
    title: 'Fleet',
    versions: [`Hearth (aedes ${packageVersion('aedes')}, mqtt ${packageVersion('mqtt')})`],
    conditions: [
      pinning('supervisor'),
      'load and cores of every node each 10 s',
      `CPU over ${options.quick ? 10 : 60} s, one run of each size`,
    ],
    tables: [{ title: 'Supervisor with simulated nodes', columns, rows: outcomes.flatMap(outcome => outcome.rows) }],
    notes: [
      'All simulated nodes live in one process: each is the real agent with its own MQTT connection, on a simulated machine.',
      'After the restart the clock starts when the supervisor listens again.',
    ],
    raw: outcomes.map(outcome => outcome.raw),
  };
}
