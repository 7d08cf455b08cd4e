/**
 * From `mosquitto_pub` to a service's first output line, against the floor of any such thing: `mosquitto_sub | sh` on a
 * real Mosquitto. Both run the same command, started by the same program, one after the other.
 */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { up } from '../fixture/cluster.ts';
import { startMosquitto } from '../fixture/mosquitto.ts';
import { connectClient } from '../fixture/mqtt-client.ts';
import { folder, start } from '../fixture/processes.ts';
import { findProgram } from '../fixture/programs.ts';
import { packageVersion, programVersion } from './machine.ts';
import { outputPipe } from './reconcile/output-pipe.ts';
import type { BenchOptions, Report } from './report.ts';
import { median, percentile, verdict } from './statistics.ts';
import { figure, type Table } from './table.ts';

/** How both sides publish: the same program, a process per message. */
function publish(port: number, topic: string, message: string): number {
  const at = performance.now();
  const args = ['-p', String(port), '-t', topic, '-q', '1', '-m', message];
  spawn(findProgram('mosquitto_pub') ?? 'mosquitto_pub', args, { stdio: 'inherit' });
  return at;
}

/** Milliseconds of one fdatasync after a 4 kB append, median of 100. */
function syncMs(place: string): number {
  const fd = openSync(join(place, 'sync-probe'), 'a');
  const block = Buffer.alloc(4096, 'x');
  const times = Array.from({ length: 100 }, () => {
    writeSync(fd, block);
    const at = performance.now();
    fdatasyncSync(fd);
    return performance.now() - at;
  });
  closeSync(fd);
  return median(times);
}

/** The slow disk: a few lines of C before libc. Undefined where there is no compiler. */
function slowSync(): string | undefined {
  const compiler = findProgram('cc') ?? findProgram('gcc');
  if (!compiler) return undefined;
  const library = join(folder('hearth-bench-'), 'slow-sync.so');
  const source = join(import.meta.dirname, 'reconcile/slow-sync.c');
  execFileSync(compiler, ['-shared', '-fPIC', '-O2', '-o', library, source, '-ldl']);
  return library;
}

interface Times {
  readonly hearth: number[];
  readonly floor: number[];
}

async function measure(rounds: number, env: NodeJS.ProcessEnv): Promise<Times> {
  const pipe = outputPipe();
  const mosquitto = await startMosquitto(['set_tcp_nodelay true']);
  // The floor, `mosquitto_sub | sh`, without a shell around it that would have to be ended with its children.
  const shell = start(findProgram('sh') ?? 'sh', [], { stdio: ['pipe', 'inherit', 'inherit'] });
  const subscription = start(
    findProgram('mosquitto_sub') ?? 'mosquitto_sub',
    ['-p', String(mosquitto.port), '-t', 'bench'],
    { stdio: ['ignore', shell.child.stdin, 'inherit'] },
  );
  const cluster = await up({ env });
  const node = cluster.ready.node;
  const client = await connectClient(cluster.url, [`hearth/node/${node}/result`]);
  const times: Times = { hearth: [], floor: [] };
  const warmUp = 5;
  for (let round = -warmUp; round < rounds; round++) {
    const mark = `m${round + warmUp}`;
    const floorLine = pipe.arrival(`floor-${mark}`, 10_000);
    const floorAt = publish(mosquitto.port, 'bench', `echo floor-${mark} > ${pipe.path}`);
    const floorMs = (await floorLine) - floorAt;
    const line = pipe.arrival(`hearth-${mark}`, 10_000);
    const topic = `hearth/node/${node}/set/services/${mark}`;
    const run = `echo hearth-${mark} > ${pipe.path}`;
    const at = publish(cluster.ready.mqtt, topic, JSON.stringify({ run, restart: 'never' }));
    const hearthMs = (await line) - at;
    client.forget();
    await client.publish(topic, '');
    await client.wait(
      'cleared',
      message => message.text.includes(`services.${mark}`) && message.text.includes('"ok":true'),
    );
    if (round < 0) continue;
    times.floor.push(floorMs);
    times.hearth.push(hearthMs);
  }
  await client.close();
  await cluster.process.stop();
  await subscription.stop();
  await shell.stop();
  await mosquitto.process.stop();
  pipe.close();
  return times;
}

function tableOf(title: string, times: Times): Table {
  const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b);
  const [ours, floor] = [sorted(times.hearth), sorted(times.floor)];
  const row = (label: string, share: number, target: number) => {
    const [a, b] = [percentile(ours, share), percentile(floor, share)];
    return [label, figure(a), figure(b), `${(a / b).toFixed(2)} ×`, `≤ ${target} ×`, verdict(a / b, target)];
  };
  const columns = ['set to first output, ms', 'Hearth', 'floor', 'ratio', 'target', ''];
  return { title, columns, rows: [row('p50', 0.5, 1.5), row('p99', 0.99, 3)] };
}

export async function run(options: BenchOptions): Promise<Report> {
  for (const program of ['mosquitto', 'mosquitto_pub', 'mosquitto_sub', 'mkfifo']) {
    if (!findProgram(program)) throw new Error(`${program} is not installed: apt install mosquitto mosquitto-clients`);
  }
  const rounds = (options.rounds ?? 3) * (options.quick ? 20 : 100);
  const place = folder('hearth-data-');
  const asItIs = await measure(rounds, {});
  const tables = [tableOf(`Data folder's disk as it is (fdatasync ${figure(syncMs(place))} ms)`, asItIs)];
  const library = slowSync();
  const slow = library && (await measure(Math.ceil(rounds / 2), { LD_PRELOAD: library, SLOW_SYNC_MS: '10' }));
  if (slow)
    tables.push(
      tableOf('The same with 10 ms added to every sync of the supervisor and agent, as an SD card would', slow),
    );
  return {
    name: 'reconcile',
    title: 'Reconcile',
    versions: [`Hearth (aedes ${packageVersion('aedes')})`, `Mosquitto ${programVersion('mosquitto', '-h')}`],
    conditions: [`${rounds} messages each, in turns, one at a time`, 'nothing pinned', 'set_tcp_nodelay true'],
    tables,
    notes: [
      'Both sides start with the process start of mosquitto_pub and end when the command wrote its line into a pipe.',
      'The floor starts no process of its own: its shell runs the line as a builtin. Hearth validates, journals, syncs, signs and starts a supervised process.',
      ...(library ? [] : ['No C compiler: the slow disk was not measured.']),
    ],
    raw: { asItIs, slow },
  };
}
