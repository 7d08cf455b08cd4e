/** The supervisor process: the only file that knows all of its parts. Starts them in order and ends them in reverse. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { identityFile } from '../shared/agent-process.ts';
import type { Bus } from '../shared/bus.ts';
import type { Log } from '../shared/log.ts';
import type { Store } from '../shared/store.ts';
import { systemClock, systemRandom } from '../shared/system-clock.ts';
import { UserError } from '../shared/user-error.ts';
import type { SupervisorConfig } from './config.ts';
import {
  clusterKey,
  type DataFolder,
  openDataFolder,
  readRunFile,
  refuseLostJournal,
  removeRunFile,
  writeFormat,
  writeRunFile,
  writeSafely,
} from './data-folder.ts';
import type { FleetReader } from './fleet/fleet.ts';
import { startHttp } from './http/server.ts';
import { type LocalAgent, type LocalAgentOptions, startLocalAgent } from './local-agent.ts';
import { openLog } from './log.ts';
import { createEmbeddedBroker } from './mqtt/embedded.ts';
import { connectOutsideBus } from './mqtt/outside.ts';
import { openLevelStore } from './store/level.ts';
import { Supervisor } from './supervisor.ts';

/** Nothing listens on the network before there is authentication for it. */
const host = '127.0.0.1';

/** What belongs to the program's installation and not to its settings. */
export interface Installation {
  readonly ver: string;
  readonly dashboardFolder: string;
  /** Program and arguments that run an agent; flags are added. */
  readonly agentCommand: readonly string[];
  /** Of the local node and its services; this process's own is stricter. */
  readonly umask: number;
  /** Prints a line for the person at the terminal. */
  say(line: string): void;
  /** With one sentence: it had to give way to another supervisor of its base, and is none any more. Stop it. */
  gaveWay(sentence: string): void;
}

export interface RunningSupervisor {
  readonly http: number;
  /** The embedded broker's port, or the outside one's. */
  readonly mqtt: number;
  readonly cluster: string;
  readonly log: Log;
  /** The local node's id, once it is online (at once, and undefined, without a local node). */
  readonly online: Promise<string | undefined>;
  /** Farewells, journal closed; resolves when everything is let go. */
  stop(): Promise<void>;
  /** Writes what the log holds and ends the local agent, for a process that is about to crash. */
  abandon(): void;
}

/** How long each part may take to end. Together they stay below the 5 s in which a stop must be over … */
const agentStopMs = 2500;
/** … but for services that are ended, too: they have their grace periods, and the agent its own limit of 60 s. */
export const servicesStopMs = 65_000;
const partStopMs = 1500;

type Undo = () => Promise<void> | void;

/**
 * @param signal gives the start up.
 * @throws UserError: one sentence on what is in the way and the way out. Nothing is left running then.
 */
export async function startSupervisor(
  config: SupervisorConfig,
  installation: Installation,
  signal?: AbortSignal,
): Promise<RunningSupervisor> {
  const folder = openDataFolder(config.data);
  const undo: Undo[] = [];
  const unwind = async () => {
    for (let step = undo.pop(); step; step = undo.pop()) await step();
  };
  try {
    return await startParts(config, installation, folder, undo, unwind, signal);
  } catch (error) {
    await unwind();
    throw error;
  }
}

async function startParts(
  config: SupervisorConfig,
  installation: Installation,
  folder: DataFolder,
  undo: Undo[],
  unwind: () => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<RunningSupervisor> {
  const { ver } = installation;
  const clock = systemClock();
  const random = systemRandom();
  const store = await openJournal(folder);
  undo.push(() => within(partStopMs, done => store.close(done)));
  const log = openLog(`${folder.logs}/supervisor.log`, installation.say);
  undo.push(() => log.close());
  const signer = clusterKey(folder);
  await refuseLostJournal(folder, store);
  refuseOtherNode(config, folder);
  if (config.readyFile) rmSync(config.readyFile, { force: true });
  log.info({ ver, node: process.version, data: folder.path, cluster: signer.cluster }, 'starting');

  const broker = await openBroker(config, folder, log, undo);
  const parts = { base: config.base, ver, bus: broker.bus, store, signer, clock, random, log };
  const supervisor = new Supervisor({ ...parts, onFatal: text => installation.gaveWay(asSentence(text)) });
  await new Promise<void>((resolve, reject) => {
    // An outside broker that is away is waited for without end, but not against the person's will.
    signal?.addEventListener('abort', () => reject(new UserError('Ended before it was up.', 130)), { once: true });
    supervisor.start(error => (error === undefined ? resolve() : reject(new UserError(asSentence(error)))));
  });
  writeFormat(folder);
  undo.push(() => within(partStopMs, done => supervisor.stop(done)));
  const mqtt = await broker.listen();
  const web = await startHttp({
    host,
    port: config.httpPort,
    fleet: supervisor.fleet,
    attach: broker.attach,
    log,
    dashboardFolder: installation.dashboardFolder,
    mqttPort: mqtt,
  }).catch(error => Promise.reject(portError(error, '--http-port', config.httpPort)));
  undo.push(() => web.close());
  const run = { pid: process.pid, mqtt, http: web.port };
  writeRunFile(folder, run);
  undo.push(() => removeRunFile(folder));

  let agent: LocalAgent | undefined;
  if (config.agent) {
    agent = startLocalAgent({
      ...agentCommand(config, installation, folder, mqtt, signer.cluster),
      logFile: `${folder.logs}/agent.log`,
      clock,
      random,
      log,
    });
  }
  const online = config.agent ? nodeOnline(supervisor.fleet, config, folder) : Promise.resolve(undefined);
  const stopped = { yet: false };
  const ready = online.then(node => {
    if (stopped.yet) return node;
    const state = { ...run, ...(node === undefined ? {} : { node }) };
    writeRunFile(folder, state);
    if (config.readyFile) writeSafely(config.readyFile, `${JSON.stringify(state)}\n`, 0o644);
    log.info(state, 'ready');
    return node;
  });
  ready.catch(() => {});
  return {
    http: web.port,
    mqtt,
    cluster: signer.cluster,
    log,
    online: ready,
    async stop() {
      stopped.yet = true;
      log.info({}, 'stopping');
      // The agent first: its farewell goes through the broker that ends after it.
      await agent?.stop(config.stopServices ? servicesStopMs : agentStopMs);
      if (config.readyFile) rmSync(config.readyFile, { force: true });
      await unwind();
    },
    abandon() {
      agent?.kill();
      log.close();
    },
  };
}

/** The journal, and with it the lock on the data folder. */
async function openJournal(folder: DataFolder): Promise<Store> {
  try {
    return await openLevelStore(folder.journal);
  } catch (error) {
    const holder = /another supervisor/.test((error as Error).message) ? readRunFile(folder) : undefined;
    if (!holder) throw error;
    throw new UserError(
      `Another supervisor (pid ${holder.pid}) runs on the data folder ${folder.path}: stop it (kill ${holder.pid}), or give this one a folder of its own with --data FOLDER.`,
    );
  }
}

interface BrokerPart {
  readonly bus: Bus;
  /** Opens the port, where there is one to open. Resolves with the port that clients use. */
  listen(): Promise<number>;
  readonly attach?: (stream: Duplex) => void;
}

async function openBroker(config: SupervisorConfig, folder: DataFolder, log: Log, undo: Undo[]): Promise<BrokerPart> {
  if (config.broker !== undefined) {
    const url = new URL(config.broker);
    const common = { url: config.broker, base: config.base, log, clock: systemClock(), random: systemRandom() };
    const bus = connectOutsideBus(common);
    undo.push(() => within(partStopMs, done => bus.stop(done)));
    return { bus, listen: () => Promise.resolve(Number(url.port) || (url.protocol === 'mqtts:' ? 8883 : 1883)) };
  }
  const broker = await createEmbeddedBroker({ base: config.base, cacheFolder: folder.cache, log });
  undo.push(() => broker.close());
  return {
    bus: broker.bus,
    listen: () =>
      broker
        .listen({ host, port: config.mqttPort })
        .catch(error => Promise.reject(portError(error, '--mqtt-port', config.mqttPort))),
    attach: stream => broker.attach(stream),
  };
}

/** A port that cannot be had, as one sentence with the way out. */
function portError(error: unknown, flag: string, port: number): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  const taken = code === 'EADDRINUSE' || /taken|EADDRINUSE/.test(message);
  const denied = code === 'EACCES' || /EACCES/.test(message);
  if (!taken && !denied) return error;
  const why = taken ? 'is taken by another program' : 'may not be opened by this user';
  const instead =
    flag === '--mqtt-port' && taken ? `, or use the broker that is there with --broker mqtt://${host}:${port}` : '';
  return new UserError(
    `Port ${port} of ${host} ${why}: choose another with ${flag} PORT (0 picks a free one)${instead}.`,
  );
}

function agentCommand(
  config: SupervisorConfig,
  installation: Installation,
  folder: DataFolder,
  mqtt: number,
  cluster: string,
): Pick<LocalAgentOptions, 'command' | 'env' | 'umask'> {
  const flags = ['--base', config.base, '--data', folder.agent, '--period', String(config.periodMs), '--with-parent'];
  if (config.node !== undefined) flags.push('--node', config.node);
  if (config.stopServices) flags.push('--stop-services');
  const env: NodeJS.ProcessEnv = {};
  // What is said to this process is not meant for the agent, and its argv is readable by everyone: no password there.
  for (const [name, value] of Object.entries(process.env)) if (!name.startsWith('HEARTH_')) env[name] = value;
  env.HEARTH_BROKER = config.broker ?? `mqtt://${host}:${mqtt}`;
  return { command: [...installation.agentCommand, ...flags, '--cluster', cluster], env, umask: installation.umask };
}

/** Resolves with the local node's id when the fleet first sees it online. */
function nodeOnline(fleet: FleetReader, config: SupervisorConfig, folder: DataFolder): Promise<string> {
  return new Promise(resolve => {
    const look = (): boolean => {
      const id = config.node ?? localNode(folder.agent);
      if (id === undefined || !fleet.snapshot().nodes.some(node => node.id === id && node.online)) return false;
      resolve(id);
      return true;
    };
    if (look()) return;
    const unwatch = fleet.watch(() => {
      if (look()) unwatch();
    });
  });
}

/** The id that the local node has decided on, from its own folder. */
function localNode(agentFolder: string): string | undefined {
  try {
    const { node } = JSON.parse(readFileSync(join(agentFolder, identityFile), 'utf8')) as { node?: unknown };
    return typeof node === 'string' ? node : undefined;
  } catch {
    return undefined;
  }
}

/** A node keeps its id for ever; the agent would refuse the other one again and again. */
function refuseOtherNode(config: SupervisorConfig, folder: DataFolder): void {
  const kept = config.agent ? localNode(folder.agent) : undefined;
  if (kept === undefined || config.node === undefined || kept === config.node) return;
  throw new UserError(
    `The local node of ${folder.path} is called "${kept}" for ever, not "${config.node}": leave out --node, or give another data folder with --data FOLDER.`,
  );
}

/** A step that must not hold up the others: over when it says so, or after `ms`. */
function within(ms: number, run: (done: () => void) => void): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms);
    run(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

const asSentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
