/** The two brokers that are compared, each started fresh, pinned to core 0, and asked for its CPU time. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { folder, freePort, type Started, start, until } from '../../fixture/processes.ts';
import { findProgram } from '../../fixture/programs.ts';
import { cpuMicros, rssKb } from '../cpu.ts';
import { packageVersion, programVersion } from '../machine.ts';
import { onCore } from '../pin.ts';
import type { Entrance } from './wire-client.ts';

const root = join(import.meta.dirname, '../../..');

export interface RunningBroker extends Entrance {
  readonly pid: number;
  cpuMicros(): number;
  rssKb(): number;
  stop(): Promise<void>;
}

export interface Contender {
  readonly name: string;
  readonly version: string;
  /** @param label names the V8 profile, where one is wanted. */
  start(label: string): Promise<RunningBroker>;
}

/** How clients connect to a port, and as whom. */
export type Open = (port: number, clientId: string) => Socket;

const plain: Open = port => connect({ host: '127.0.0.1', port, noDelay: true });

const running = (port: number, process: Started, open: Open): RunningBroker => ({
  pid: process.pid,
  open: clientId => open(port, clientId),
  cpuMicros: () => cpuMicros(process.pid),
  rssKb: () => rssKb(process.pid),
  async stop() {
    const how = await process.stop();
    if (how !== 0) throw new Error(`the broker ended with ${how}:\n${process.output().slice(-4000)}`);
  },
});

/** Mosquitto at its best: no Nagle delay, unbounded queues (bounded ones would lose), nothing on disk. */
export const mosquittoSettings = [
  'set_tcp_nodelay true',
  'max_queued_messages 0',
  'max_inflight_messages 0',
  'persistence false',
  'allow_anonymous true',
  'log_type none',
];

/** @param settings of its listener, where it is not a plain one, and `open` to go with them. */
export function mosquitto(settings: readonly string[] = [], open = plain): Contender | undefined {
  const program = findProgram('mosquitto');
  if (!program) return undefined;
  return {
    name: 'mosquitto',
    version: `Mosquitto ${programVersion('mosquitto', '-h')}`,
    async start() {
      const port = await freePort();
      const file = join(folder('hearth-bench-'), 'mosquitto.conf');
      writeFileSync(file, `${[`listener ${port} 127.0.0.1`, ...settings, ...mosquittoSettings].join('\n')}\n`);
      const process = start(...onCore(0, program, ['-c', file]));
      await listening(port, process);
      return running(port, process, open);
    },
  };
}

const listening = (port: number, process: Started): Promise<true> =>
  until(`a broker on port ${port}: ${process.output()}`, () => {
    return new Promise<boolean>(resolve => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
  });

export const hearthVersion = `Hearth (aedes ${packageVersion('aedes')}, mqtt-packet ${packageVersion('mqtt-packet')})`;

export interface HearthOptions {
  /** `hearth` unless several are compared. */
  readonly name?: string;
  /** Folder for V8 profiles. */
  readonly profile?: string | undefined;
  /** Who may come in, and how: see embedded-broker.ts. */
  readonly trust?: object;
  readonly open?: Open;
  /** What is otherwise in this build. */
  readonly plugins?: Plugin[];
}

/** Hearth's embedded broker, bundled as the product is. */
export async function hearth(options: HearthOptions): Promise<Contender> {
  const { name = 'hearth', profile: profileFolder, trust, open = plain, plugins = [] } = options;
  const out = join(root, 'node_modules/.cache/hearth-bench');
  mkdirSync(out, { recursive: true });
  const outfile = join(out, `${name}-${process.pid}.mjs`);
  process.on('exit', () => rmSync(outfile, { force: true }));
  await build({
    absWorkingDir: root,
    entryPoints: ['tests/bench/embedded-broker.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'warning',
    plugins,
  });
  return {
    name,
    version: hearthVersion,
    async start(label) {
      const profile = profileFolder
        ? ['--cpu-prof', '--cpu-prof-dir', profileFolder, '--cpu-prof-name', `${label}.cpuprofile`]
        : [];
      const args = [...profile, outfile, folder('hearth-bench-'), ...(trust ? [JSON.stringify(trust)] : [])];
      const started = start(...onCore(0, process.execPath, args));
      const [, port] = await started.line(/^\{"port":(\d+)\}$/m);
      return running(Number(port), started, open);
    },
  };
}
