/** Puts an {@link Agent} together from the real machine: its disk, its processes, its sensors, and one way to a broker. */
import { hostname } from 'node:os';
import type { Verifier } from '../shared/authority.ts';
import type { Clock, Random } from '../shared/clock.ts';
import type { Log } from '../shared/log.ts';
import { createWakeSender } from '../shared/wake/sender.ts';
import { Agent } from './agent.ts';
import type { AgentParts } from './agent-parts.ts';
import { createMqttLink } from './connection/mqtt-link.ts';
import type { Way } from './connection/way.ts';
import { createFilesDisk } from './files-disk.ts';
import { createMachineActions } from './machine-actions.ts';
import { createRealHeat } from './real-heat.ts';
import { createRealReconciler } from './real-reconciler.ts';
import { createRealWork } from './real-work.ts';
import { openSealKey } from './seal-key.ts';
import { isContained } from './telemetry/facts.ts';
import { createProcTelemetry } from './telemetry/proc.ts';

export interface Surroundings {
  readonly data: string;
  readonly ver: string;
  readonly periodMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly verifier: Verifier;
  /** Ends the process so that whoever started it starts it again. */
  restart(): void;
  /** Instead of {@link makeAgent}: of a program that is a node by itself. */
  readonly makeAgent?: (around: Surroundings, run: AgentRun) => Agent;
}

export type AgentRun = Pick<AgentParts, 'safe' | 'base' | 'node' | 'cluster' | 'trustFirst' | 'onState' | 'onHello'> & {
  readonly way: Way;
  /** What the cluster says about this machine, for its `info`. */
  readonly labels?: Readonly<Record<string, string>>;
};

export function makeAgent(around: Surroundings, run: AgentRun): Agent {
  const { data, ver, periodMs, clock, random, log, verifier } = around;
  const { way, labels, onState, ...rest } = run;
  let gathered: Readonly<Record<string, unknown>> = {};
  const reconciler = createRealReconciler(around, {
    node: () => agent.node,
    facts: () => ({ ...gathered, ...agent.place }),
    supervisor: () => way.supervisor?.(),
  });
  const telemetry = createProcTelemetry({ clock, dataFolder: data, sealKey: sealKeyOf(data, log) });
  const heat = createRealHeat(around);
  const agent: Agent = new Agent({
    ...{ ver, clock, random, periodMs, log, verifier },
    ...rest,
    hostname: hostname(),
    link: createMqttLink(way),
    waker: createWakeSender({ clock }),
    machine: createMachineActions({
      clock,
      root: process.getuid?.() === 0,
      contained: isContained,
      upgrade: done => reconciler.upgrade(done),
    }),
    disk: createFilesDisk(data),
    reconciler,
    work: createRealWork(around, { fetching: reconciler.fetching, supervisor: () => way.supervisor?.() }),
    ...(heat ? { heat } : {}),
    onState(state, error) {
      reconciler.connected(state === 'online');
      onState?.(state, error);
    },
    telemetry: {
      ...telemetry,
      facts: done =>
        telemetry.facts(facts => {
          gathered = { ...facts, ...labels };
          done({ ...facts, ...labels });
        }),
    },
  });
  return agent;
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
