/**
 * The node that a program is: the agent, in a thread of its own, so that a job which keeps the program busy for minutes does
 * not keep the node from its heartbeats. Identity, certificate and results that wait lie in its data folder.
 */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Agent } from '../../node-agent/agent.ts';
import { createMqttLink } from '../../node-agent/connection/mqtt-link.ts';
import { createFilesDisk, openAgentFolder } from '../../node-agent/files-disk.ts';
import { lockFolder } from '../../node-agent/folder-lock.ts';
import { Life } from '../../node-agent/life.ts';
import { type AgentOptions, readOptions } from '../../node-agent/options.ts';
import type { AgentRun, Surroundings } from '../../node-agent/run-agent.ts';
import { createProcTelemetry } from '../../node-agent/telemetry/proc.ts';
import { createOutboxFile } from '../../node-agent/work/outbox-file.ts';
import { WorkRunner } from '../../node-agent/work/runner.ts';
import { ed25519Verifier } from '../../shared/ed25519.ts';
import { silentLog } from '../../shared/log.ts';
import { systemClock, systemRandom } from '../../shared/system-clock.ts';
import { UserError } from '../../shared/user-error.ts';
import { ProgramExecutor } from './executor.ts';
import type { ThreadSettings, ToProgram, ToThread } from './messages.ts';
import { noItems } from './no-items.ts';

declare const HEARTH_VERSION: string | undefined;
const ver = typeof HEARTH_VERSION === 'string' ? HEARTH_VERSION : '0.0.0-dev';
const port = parentPort as MessagePort;
const { argv, jobs, concurrency } = workerData as ThreadSettings;
const send = (message: ToProgram) => port.postMessage(message);
const clock = systemClock();
const executor = new ProgramExecutor({ clock, jobs, send });

function makeAgent({ data, ...around }: Surroundings, { way, labels, ...run }: AgentRun): Agent {
  const telemetry = createProcTelemetry({ clock, dataFolder: data });
  return new Agent({
    ...around,
    ...run,
    hostname: hostname(),
    link: createMqttLink(way),
    disk: createFilesDisk(data),
    reconciler: noItems(),
    work: new WorkRunner({
      ...{ executor, clock, log: around.log, cores: concurrency, soon: setImmediate },
      outbox: createOutboxFile(join(data, 'work')),
    }),
    telemetry: {
      ...telemetry,
      // Of what jobs may be: neither commands, nor packages, nor code.
      facts: done => telemetry.facts(facts => done({ ...facts, ...labels, work: 'plugin' })),
    },
  });
}

function start(options: AgentOptions): void {
  const { data, periodMs } = options;
  openAgentFolder(data);
  const unlock = lockFolder(data);
  const over = (sentence?: string) => {
    unlock();
    send({ type: 'over', sentence });
    port.close();
  };
  const around = { data, ver, periodMs, clock, random: systemRandom(), verifier: ed25519Verifier(), makeAgent };
  const warn = (_fields: object, text: string) => send({ type: 'warning', text });
  const log = { ...silentLog, warn, error: warn };
  const life = new Life({ ...around, log, restart() {} }, options, {
    reaches: (node, online) => send({ type: 'state', node, online }),
    over,
  });
  port.on('message', (message: ToThread) => {
    if (message.type === 'stop') life.stop(false, () => over());
    else executor.hear(message);
  });
  life.start();
}

try {
  start(readOptions(argv, {}) as AgentOptions);
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  send({ type: 'over', sentence: error.message });
  port.close();
}
