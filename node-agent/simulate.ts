/**
 * Many simulated nodes in one process, for demos and load: each is the real {@link Agent} with an MQTT connection of its
 * own; only the machine below it, its disk and its sensors are made up.
 */
import type { Clock, Random, Timer } from '../shared/clock.ts';
import { ed25519Verifier } from '../shared/ed25519.ts';
import type { Log } from '../shared/log.ts';
import { checkId } from '../shared/names.ts';
import { UserError } from '../shared/user-error.ts';
import { Agent } from './agent.ts';
import { parseBroker } from './connection/broker-address.ts';
import { createMqttLink } from './connection/mqtt-link.ts';
import { wayTo } from './connection/way.ts';
import { SimulatedHeat } from './heat/simulated-heat.ts';
import { createMemoryDisk } from './memory-disk.ts';
import { createReconciler } from './reconcile/index.ts';
import { createSimulatedCaretaker } from './reconcile/services/simulated-caretaker.ts';
import { createSimulatedHost, SimulatedMachine } from './reconcile/services/simulated-host.ts';
import { simulatedFiles, simulatedPackages } from './reconcile/simulated-kinds.ts';
import { createSyntheticTelemetry } from './telemetry/synthetic.ts';
import { MemoryOutbox } from './work/outbox-memory.ts';
import { WorkRunner } from './work/runner.ts';
import { SimulatedExecutor } from './work/simulated-executor.ts';

export interface SimulateOptions {
  /** `mqtt://HOST:PORT`. */
  readonly broker: string;
  readonly base: string;
  readonly nodes: number;
  readonly periodMs: number;
  readonly ver: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Ids are this and a number: `sim-1` and so on by default. */
  readonly prefix?: string;
  /** Fingerprint of the cluster; needed where the broker is on another machine. */
  readonly cluster?: string;
  /** Nodes that connect per second, at most. Default 200. */
  readonly perSecond?: number;
  /** Called when the number of connected nodes changes. */
  readonly onOnline?: (online: number) => void;
}

export interface Simulation {
  /** Nodes that are connected and announced. */
  readonly online: number;
  /** Every node says farewell; `done` when the last one is gone. */
  stop(done: () => void): void;
}

/** More in one process would wait for each other longer than a keepalive. */
const mostNodes = 10_000;

/** Throws a {@link UserError} that says which option is wrong. */
export function simulate(options: SimulateOptions): Simulation {
  const { base, nodes, periodMs, ver, clock, random, log, prefix = 'sim-', cluster, perSecond = 200 } = options;
  const broker = parseBroker(options.broker);
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > mostNodes) {
    throw new UserError(`--nodes: use 1 to ${mostNodes}; for more, start several`, 2);
  }
  const id = checkId(`${prefix}${nodes}`, 'node');
  if (!id.ok) throw new UserError(`--prefix: ${id.error.message}`, 2);
  if (!broker.loopback && cluster === undefined) {
    throw new UserError('the broker is not on this machine: name the cluster with --cluster FINGERPRINT');
  }

  const agents: Agent[] = [];
  const connected = new Set<string>();
  const verifier = ed25519Verifier();
  let timer: Timer | undefined;
  let stopping = false;

  const startOne = () => {
    const node = `${prefix}${agents.length + 1}`;
    const machine = new SimulatedMachine({ clock, random });
    const telemetry = createSyntheticTelemetry({ clock, random });
    const agent: Agent = new Agent({
      ...{ base, node, ver, clock, random, verifier, periodMs, log },
      link: createMqttLink(wayTo(broker)),
      disk: createMemoryDisk(),
      reconciler: createReconciler({
        host: createSimulatedHost({ clock, random, machine }),
        caretaker: createSimulatedCaretaker(clock),
        files: simulatedFiles(clock),
        packages: simulatedPackages(clock),
        clock,
        random,
      }),
      telemetry,
      work: new WorkRunner({
        ...{ clock, log, cores: telemetry.cores, outbox: new MemoryOutbox(), soon: setImmediate },
        executor: new SimulatedExecutor({ clock, random, speed: 0.5 + random.next(), plugins: ['noop'] }),
      }),
      heat: new SimulatedHeat({ ...telemetry, clock }),
      trustFirst: broker.loopback,
      ...(cluster === undefined ? {} : { cluster }),
      onState(state) {
        const before = connected.size;
        if (state === 'online') connected.add(node);
        else connected.delete(node);
        if (connected.size !== before) options.onOnline?.(connected.size);
      },
    });
    agents.push(agent);
    agent.start();
  };

  // A few at a time: ten times a second, and never a thousand sockets in one turn of the loop.
  const batch = Math.max(1, Math.round(perSecond / 10));
  const startSome = () => {
    for (let count = 0; count < batch && agents.length < nodes && !stopping; count++) startOne();
    if (agents.length < nodes && !stopping) timer = clock.after((batch / perSecond) * 1000, startSome);
  };
  startSome();

  return {
    get online() {
      return connected.size;
    },
    stop(done) {
      stopping = true;
      timer?.cancel();
      let left = agents.length;
      const gone = () => {
        if (--left === 0) done();
      };
      for (const agent of agents) agent.stop({ stopServices: false }, gone);
    },
  };
}
