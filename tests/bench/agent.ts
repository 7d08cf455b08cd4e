/** What an idle agent costs a machine, beside the exporters people already run there. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startAgent, up } from '../fixture/cluster.ts';
import { startMosquitto } from '../fixture/mosquitto.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { folder, freePort, type Started, start, until } from '../fixture/processes.ts';
import { findProgram } from '../fixture/programs.ts';
import { cpuMicros, rssKb } from './cpu.ts';
import { programVersion } from './machine.ts';
import type { BenchOptions, Report } from './report.ts';
import { median, verdict } from './statistics.ts';
import { figure } from './table.ts';

interface Measured {
  readonly name: string;
  readonly rssMb: number;
  readonly corePct: number;
}

interface Peer {
  readonly name: string;
  readonly pid: number;
  stop(): Promise<unknown>;
}

async function ourAgent(): Promise<Peer> {
  const cluster = await up({ flags: ['--no-agent'] });
  const watcher = await connectClient(cluster.url, ['hearth/node/+/load']);
  const agent = startAgent({ broker: cluster.url, node: 'bench' });
  await watcher.wait('load', () => true, 20_000);
  await watcher.close();
  const stop = async () => {
    await agent.stop();
    await cluster.process.stop();
  };
  return { name: 'Hearth agent', pid: agent.pid, stop };
}

/** node_exporter measures when it is asked: once per 5 s here, as often as the agent publishes. */
async function nodeExporter(): Promise<Peer | undefined> {
  const program = findProgram('prometheus-node-exporter') ?? findProgram('node_exporter');
  if (!program) return undefined;
  const port = await freePort();
  const exporter = start(program, [`--web.listen-address=127.0.0.1:${port}`]);
  const scrape = () => fetch(`http://127.0.0.1:${port}/metrics`).then(answer => answer.text());
  await until('node_exporter answers', () => scrape().catch(() => undefined));
  const timer = setInterval(() => void scrape().catch(() => undefined), 5000);
  const stop = () => {
    clearInterval(timer);
    return exporter.stop();
  };
  return { name: `node_exporter ${programVersion(program) ?? ''}`, pid: exporter.pid, stop };
}

async function collectd(): Promise<Peer | undefined> {
  const program = findProgram('collectd');
  if (!program) return undefined;
  const place = folder('hearth-bench-');
  mkdirSync(join(place, 'base'));
  const mosquitto = findProgram('mosquitto') ? await startMosquitto() : undefined;
  const plugins = ['cpu', 'load', 'memory', 'df', 'interface', 'uptime', 'cpufreq', 'thermal'];
  const publish = mosquitto
    ? `LoadPlugin mqtt\n<Plugin mqtt>\n<Publish "p">\nHost "127.0.0.1"\nPort ${mosquitto.port}\n</Publish>\n</Plugin>`
    : '';
  const settings = [
    `BaseDir "${join(place, 'base')}"`,
    `PIDFile "${join(place, 'pid')}"`,
    'Interval 5',
    'FQDNLookup false',
  ];
  const file = join(place, 'collectd.conf');
  writeFileSync(file, [...settings, ...plugins.map(plugin => `LoadPlugin ${plugin}`), publish, ''].join('\n'));
  const daemon: Started = start(program, ['-f', '-C', file]);
  await daemon.line(/Initialization complete|entering read-loop/, 15_000);
  const stop = async () => {
    await daemon.stop();
    await mosquitto?.process.stop();
  };
  return { name: `collectd ${programVersion(program, '-h') ?? ''}`, pid: daemon.pid, stop };
}

async function measure(make: () => Promise<Peer | undefined>, spanMs: number): Promise<Measured | undefined> {
  const peer = await make();
  if (!peer) return undefined;
  // Start-up is not steady state: facts are gathered and modules loaded in the first seconds.
  await new Promise(resolve => setTimeout(resolve, 10_000));
  const before = cpuMicros(peer.pid);
  const at = performance.now();
  const rss: number[] = [];
  const sampler = setInterval(() => rss.push(rssKb(peer.pid) / 1024), 1000);
  await new Promise(resolve => setTimeout(resolve, spanMs));
  clearInterval(sampler);
  const corePct = ((cpuMicros(peer.pid) - before) / ((performance.now() - at) * 1000)) * 100;
  await peer.stop();
  return { name: peer.name, rssMb: median(rss), corePct };
}

export async function run(options: BenchOptions): Promise<Report> {
  const rounds = options.rounds ?? (options.quick ? 1 : 3);
  const contenders = [ourAgent, nodeExporter, collectd];
  const outcomes: Measured[][] = contenders.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, make] of contenders.entries()) {
      const measured = await measure(make, options.quick ? 15_000 : 60_000);
      if (measured) outcomes[index]?.push(measured);
      if (measured)
        console.log(`round ${round + 1} ${measured.name}: ${figure(measured.rssMb)} MB, ${figure(measured.corePct)} %`);
    }
  }
  const rows = outcomes
    .filter(list => list.length > 0)
    .map((list, index) => {
      const rssMb = median(list.map(measured => measured.rssMb));
      const corePct = median(list.map(measured => measured.corePct));
      const judged = index === 0 ? [verdict(rssMb, 60), verdict(corePct, 0.3)] : ['', ''];
      return [list[0]?.name ?? '', figure(rssMb), judged[0] ?? '', figure(corePct), judged[1] ?? ''];
    });
  return {
    name: 'agent',
    title: 'Agent',
    versions: [`Node ${process.versions.node}`],
    conditions: [
      `${options.quick ? 15 : 60} s each after 10 s of rest, ${rounds} rounds in turns, medians`,
      'telemetry, scrape and collection every 5 s',
    ],
    tables: [{ title: 'An idle agent', columns: ['', 'RSS MB', 'target ≤ 60', '% of a core', 'target ≤ 0.3'], rows }],
    notes: ['RSS counts the pages of the Node binary too, which several Node processes share.'],
    raw: outcomes,
  };
}
