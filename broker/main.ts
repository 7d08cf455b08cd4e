/** The supervisor process: the only file that knows all of its parts. Starts them in order and ends them in reverse. */
import { rmSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import type { Log } from '../shared/log.ts';
import type { Store } from '../shared/store.ts';
import { systemClock, systemRandom } from '../shared/system-clock.ts';
import { UserError } from '../shared/user-error.ts';
import { createWakeSender } from '../shared/wake/sender.ts';
import { openBroker } from './broker-part.ts';
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
import { upgradeFormat } from './data-format.ts';
import { askByHttp } from './heat/sources/index.ts';
import { readLines } from './jobs/lines.ts';
import { createPinning } from './jobs/pin.ts';
import { type LocalAgent, startLocalAgent } from './local-agent.ts';
import { agentCommand, nodeOnline, refuseOtherNode } from './local-node.ts';
import { openLog } from './log.ts';
import { openPorts } from './open-ports.ts';
import { partStopMs, type Undo, within } from './parts.ts';
import { createRoomDesk } from './room-desk.ts';
import { openLevelStore } from './store/level.ts';
import { Supervisor } from './supervisor.ts';
import { openClusterTrust } from './trust/cluster-trust.ts';
import { refuseOwnBroker } from './uplink/own-broker.ts';
import { openUplink } from './uplink/uplink-part.ts';

/** What belongs to the program's installation and not to its settings. */
export interface Installation {
  readonly ver: string;
  readonly dashboardFolder: string;
  /** The built program, and what machines that join are given beside it. */
  readonly dist: string;
  readonly deploy: string;
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
  /** MQTT over TLS, where the cluster is open to the network. */
  readonly tls: number | undefined;
  /** Nobody can log in from the network yet. */
  readonly noUsers: boolean;
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
/**
 * @param signal gives the start up.
 * @throws UserError: one sentence on what is in the way and the way out. Nothing is left running then.
 */
export async function startSupervisor(
  config: SupervisorConfig,
  installation: Installation,
  signal?: AbortSignal,
): Promise<RunningSupervisor> {
  const addresses = Object.values(networkInterfaces()).flatMap(list => list?.map(({ address }) => address) ?? []);
  refuseOwnBroker(config, { hostname: hostname(), addresses });
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
  await upgradeFormat(folder, store, log);
  refuseOtherNode(config, folder);
  if (config.readyFile) rmSync(config.readyFile, { force: true });
  log.info({ ver, node: process.version, data: folder.path, cluster: signer.cluster }, 'starting');

  const trust = await openClusterTrust({
    ...{ folder, store, signer, clock, random, log, ver, base: config.base },
    dist: installation.dist,
    deploy: installation.deploy,
  });
  undo.push(() => trust.close());
  const broker = await openBroker(config, folder, trust, log, undo);
  const around = { base: config.base, ver, cluster: signer.cluster, bus: broker.bus, clock, random, log };
  const looped = (text: string) => installation.gaveWay(asSentence(text));
  const { bus, uplink, start: startUplink } = openUplink(config.uplink, { ...around, looped }, undo);
  const supervisor = new Supervisor({
    ...{ base: config.base, ver, bus, store, signer, clock, random, log },
    onFatal: text => installation.gaveWay(asSentence(text)),
    bundle: () => trust.authority.serial,
    told: told => trust.told(told),
    given: node => trust.desk.given(node),
    release: async () => ({ ver, sha256: (await trust.agent()).sha256 }),
    forgotten: node => trust.forgotten(node),
    waking: { sender: createWakeSender({ clock }), enrolled: node => trust.desk.macs(node) },
    heating: { fuseW: config.maxW, discovery: config.discovery, uplink, askWemo: askByHttp },
    jobs: {
      inline: config.inline,
      shares: config.shares,
      audit: entry => trust.audit.record(entry),
      lines: sha256 => readLines(trust.artifacts.store, sha256),
      pin: createPinning({ store: trust.artifacts.store }),
    },
  });
  trust.attend({
    fleet: supervisor.fleet,
    events: supervisor.events,
    publish: (topic, text) => broker.bus.publish(topic, text, { qos: 1 }),
  });
  trust.artifacts.store.keepUsed(supervisor.usedArtifacts);
  trust.authority.onCertificates(() => supervisor.call());
  await new Promise<void>((resolve, reject) => {
    // An outside broker that is away is waited for without end, but not against the person's will.
    signal?.addEventListener('abort', () => reject(new UserError('Ended before it was up.', 130)), { once: true });
    supervisor.start(error => (error === undefined ? resolve() : reject(new UserError(asSentence(error)))));
  });
  writeFormat(folder);
  startUplink(supervisor.uplinkEnd);
  undo.push(() => within(partStopMs, done => supervisor.stop(done)));
  const { fleet, speaks, take } = supervisor;
  const rooms = createRoomDesk({ base: config.base, clock, speaks, take });
  const open = await openPorts({ config, folder, broker, trust, fleet, rooms, installation, log, undo });
  const run = { pid: process.pid, ...open, ...(config.broker === undefined ? {} : { outside: true as const }) };
  const { mqtt, http, tls } = open;
  writeRunFile(folder, run);
  undo.push(() => removeRunFile(folder));

  let agent: LocalAgent | undefined;
  if (config.agent) {
    agent = startLocalAgent({
      ...agentCommand(config, installation, folder, open, signer.cluster),
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
    http,
    mqtt,
    tls,
    noUsers: !trust.accounts.hasUsers(),
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

const asSentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
