/** A hundred machines join at once, and come online as nodes at once: `hearth up --lan` as built, on a core of its own. */
import { join } from 'node:path';
import { type Cluster, hearthCommand, up } from '../../fixture/cluster.ts';
import { folder, freePort, start } from '../../fixture/processes.ts';
import { cpuMicros } from '../cpu.ts';
import { allOnline, type Delay, loopDelay, loopDelayIn } from '../fleet/watch.ts';
import { onCore } from '../pin.ts';
import { median, verdict } from '../statistics.ts';
import { figure, type Table } from '../table.ts';
import { machine, nodeOf } from './machines.ts';

export const machines = 100;
const joinSeconds = 20;

export interface OpenCluster extends Cluster {
  readonly tlsPort: number;
  /** Resolves with the event-loop delays since it was last asked. */
  delay(): Promise<Delay>;
}

export async function openCluster(): Promise<OpenCluster> {
  const data = folder('hearth-bench-');
  const file = join(data, 'loop-delay.json');
  const [mqttPort, httpPort, tlsPort] = [await freePort(), await freePort(), await freePort()];
  const [command, args] = onCore(0, process.execPath, []);
  const cluster = await up({
    ...{ data: join(data, 'data'), mqttPort, httpPort, env: loopDelayIn(file) },
    flags: ['--lan', '--tls-port', String(tlsPort), '--no-agent'],
    under: command === process.execPath ? [] : [command, ...args.slice(0, -1)],
  });
  return { ...cluster, tlsPort, delay: () => loopDelay(cluster.ready.pid, file) };
}

export async function joinLine(cluster: OpenCluster, uses: number): Promise<string> {
  const flags = ['token', '--data', cluster.data, '--host', '127.0.0.1', '--uses', String(uses), '--json'];
  const asked = start(process.execPath, [hearthCommand, ...flags], { env: { PATH: process.env.PATH ?? '' } });
  await asked.ended;
  const line = /hearth1\.[^"\s]+/.exec(asked.output())?.[0];
  if (!line) throw new Error(`hearth token: ${asked.output()}`);
  return line;
}

interface Sample {
  readonly joinS: number;
  readonly joinCpuMs: number;
  readonly joinDelay: number;
  readonly again: number;
  readonly onlineS: number;
  readonly onlineCpuMs: number;
  readonly onlineDelay: number;
}

async function once(): Promise<Sample> {
  const cluster = await openCluster();
  const { pid } = cluster.ready;
  const line = await joinLine(cluster, machines);
  const asking = Array.from({ length: machines }, (_, index) => machine(index + 1, line));
  await cluster.delay();
  const [cpuBefore, from] = [cpuMicros(pid), performance.now()];
  const joined = await Promise.all(asking.map(one => one.join()));
  const joinS = (performance.now() - from) / 1000;
  const joinCpuMs = (cpuMicros(pid) - cpuBefore) / 1000;
  const joinDelay = (await cluster.delay()).max;

  const nodes = joined.map(one => nodeOf(one, `mqtts://127.0.0.1:${cluster.tlsPort}`));
  const [cpuThen, then] = [cpuMicros(pid), performance.now()];
  const online = allOnline(cluster, machines, then, 120_000);
  for (const node of nodes) node.start();
  const onlineS = await online;
  const onlineCpuMs = (cpuMicros(pid) - cpuThen) / 1000;
  const onlineDelay = (await cluster.delay()).max;
  await Promise.all(nodes.map(node => new Promise<void>(done => node.stop({ stopServices: false }, done))));
  const again = asking.reduce((sum, one) => sum + one.failures(), 0);
  await cluster.process.stop();
  return { joinS, joinCpuMs, joinDelay, again, onlineS, onlineCpuMs, onlineDelay };
}

export async function joinTable(rounds: number): Promise<{ table: Table; samples: Sample[] }> {
  const samples: Sample[] = [];
  for (let round = 1; round <= rounds; round++) {
    const sample = await once();
    samples.push(sample);
    console.log(
      `round ${round} join: ${Object.entries(sample)
        .map(([key, value]) => `${key} ${figure(value)}`)
        .join(', ')}`,
    );
  }
  const of = (key: keyof Sample) => median(samples.map(sample => sample[key]));
  const row = (label: string, key: keyof Sample, divided = 1) => [label, figure(of(key) / divided), '', ''];
  const joinS = of('joinS');
  const rows = [
    ['until every machine has its certificate, s', figure(joinS), `≤ ${joinSeconds}`, verdict(joinS, joinSeconds)],
    row("supervisor's CPU per machine, ms", 'joinCpuMs', machines),
    row('longest event-loop delay, ms', 'joinDelay'),
    row('requests that had to be made again', 'again'),
    row('then until every node is online, s', 'onlineS'),
    row("supervisor's CPU per node, ms", 'onlineCpuMs', machines),
    row('longest event-loop delay meanwhile, ms', 'onlineDelay'),
  ];
  const columns = [`${machines} machines at once`, 'value', 'target', ''];
  return { table: { title: 'Joining by token, and coming online over TLS', columns, rows }, samples };
}
