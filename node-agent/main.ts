/** The agent's process: the only file of the agent that knows all its parts. `dist/agent.js` is this file's bundle. */
import { renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { ed25519Verifier } from '../shared/ed25519.ts';
import type { Log } from '../shared/log.ts';
import { systemClock, systemRandom } from '../shared/system-clock.ts';
import { UserError } from '../shared/user-error.ts';
import { Agent, type AgentState } from './agent.ts';
import { createMqttLink } from './connection/mqtt-link.ts';
import { wayTo } from './connection/way.ts';
import { createFilesDisk, openAgentFolder } from './files-disk.ts';
import { lockFolder } from './folder-lock.ts';
import { type AgentOptions, agentUsage, readOptions } from './options.ts';
import { createReconciler } from './reconcile/index.ts';
import { createRealHost } from './reconcile/services/real-host.ts';
import { createSecrets } from './reconcile/services/secrets.ts';
import { openSealKey } from './seal-key.ts';
import { stderrLog } from './stderr-log.ts';
import { createProcTelemetry } from './telemetry/proc.ts';

declare const HEARTH_VERSION: string | undefined;
const ver = typeof HEARTH_VERSION === 'string' ? HEARTH_VERSION : '0.0.0-dev';

/** A stop must be over within 5 s (contract, Processes); one that ends services takes as long as their grace periods. */
const stopWithinMs = 4500;
const stopServicesWithinMs = 60_000;
/** npm hands Ctrl-C on, so that one press arrives twice: only what comes later than this is a second press. */
const samePressMs = 500;

function run(options: AgentOptions): void {
  const log = stderrLog(process.env.HEARTH_LOG === 'debug');
  let agent: Agent | undefined;
  let stoppingSince: number | undefined;
  const stop = () => {
    const now = performance.now();
    if (stoppingSince !== undefined && now - stoppingSince < samePressMs) return;
    // Asked a second time, or before there is anything to stop: now.
    if (stoppingSince !== undefined || !agent) process.exit(0);
    stoppingSince = now;
    const late = () => {
      if (!options.stopServices) process.exit(0);
      log.error({}, `services that had not ended after ${stopServicesWithinMs / 1000} s run on`);
      process.exit(1);
    };
    setTimeout(late, options.stopServices ? stopServicesWithinMs : stopWithinMs);
    agent.stop({ stopServices: options.stopServices }, () => process.exit(0));
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop);
  openAgentFolder(options.data);
  const unlock = lockFolder(options.data);
  process.on('exit', unlock);
  const [clock, random] = [systemClock(), systemRandom()];
  const { base, node, cluster, periodMs, broker, data } = options;

  const secrets = createSecrets(data, () => agent?.node ?? '');
  const onState = (state: AgentState, error?: string) => {
    log.debug({ epoch: agent?.epoch }, state);
    if (state === 'refused') {
      console.error(`hearth: ${error}`);
      process.exit(1);
    }
    if (state === 'left') process.exit(0);
    if (state === 'online' && options.readyFile !== undefined && agent) tellReady(options.readyFile, agent.node);
  };
  agent = new Agent({
    ...{ base, ver, clock, random, periodMs, log, onState },
    hostname: hostname(),
    link: createMqttLink(wayTo(broker)),
    verifier: ed25519Verifier(),
    disk: createFilesDisk(data),
    reconciler: createReconciler({ host: createRealHost({ folder: data, log, starting: { secrets } }), clock, random }),
    telemetry: createProcTelemetry({ clock, dataFolder: data, sealKey: sealKeyOf(data, log) }),
    trustFirst: broker.loopback,
    ...(node === undefined ? {} : { node }),
    ...(cluster === undefined ? {} : { cluster }),
  });
  process.on('uncaughtException', error => {
    log.error({ err: error.stack }, `this is a defect: ${error.message}`);
    process.exit(70);
  });
  if (options.withParent) {
    // The pipe ends with the parent, however it died.
    process.stdin
      .on('error', () => {})
      .once('close', stop)
      .resume();
  }
  agent.start();
}

/** Without a key the node takes no new secrets; everything else goes on. */
function sealKeyOf(folder: string, log: Log): string | undefined {
  try {
    return openSealKey(folder).publicKey;
  } catch (error) {
    log.error({}, (error as Error).message);
    return undefined;
  }
}

/** Beside, then renamed: whoever waits for the file never reads half of it. */
function tellReady(file: string, node: string): void {
  try {
    writeFileSync(`${file}.new`, `${JSON.stringify({ pid: process.pid, node })}\n`);
    renameSync(`${file}.new`, file);
  } catch (error) {
    console.error(`hearth: cannot write --ready-file ${file} (${(error as NodeJS.ErrnoException).code})`);
    process.exit(1);
  }
}

try {
  if (process.platform === 'win32')
    throw new UserError('agents run on Linux, macOS and Android, not on Windows: use WSL');
  const options = readOptions(process.argv.slice(2), process.env);
  if (options) run(options);
  // Run by the `hearth` command, nothing else would end the process.
  else process.stdout.write(`${agentUsage}\n`, () => process.exit(0));
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(`hearth: ${error.message}`);
  process.exit(error.exitCode);
}
