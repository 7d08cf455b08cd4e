/** One machine of the fleet: its power, its disk, its processes, its way to the broker, and the agent that comes and goes. */
import { Agent } from '../../node-agent/agent.ts';
import { createReconciler } from '../../node-agent/reconcile/index.ts';
import type { Document } from '../../node-agent/reconcile/reconciler.ts';
import { createSimulatedHost, SimulatedMachine } from '../../node-agent/reconcile/services/simulated-host.ts';
import { WorkRunner } from '../../node-agent/work/runner.ts';
import { silentLog } from '../../shared/log.ts';
import { SimDisk } from './agent-disk.ts';
import { hasty, Process } from './clock.ts';
import { KernelHeat, SimHeat } from './heating.ts';
import { SimLink } from './link.ts';
import { Path } from './network.ts';
import { Dice } from './random.ts';
import { gullibleVerifier, simVerifier } from './signatures.ts';
import { Tasks } from './tasks.ts';
import { simTelemetry } from './telemetry.ts';
import { watchedHost, watchedReconciler } from './watched.ts';
import type { World } from './world.ts';

export interface MachineOptions {
  readonly name: string;
  /** `--node`; absent: from the host name. */
  readonly node?: string;
  readonly hostname: string;
  readonly periodMs: number;
  /** `--cluster`; absent: the first cluster heard is joined. */
  readonly cluster?: string;
  /** Longest delay of a start or stop on this machine. */
  readonly slowMs: number;
  readonly wallOffsetMs: number;
}

/** What the properties are told of a machine. */
export interface MachineEyes {
  applying(machine: Machine, document: Document, kept: boolean): void;
  restarting(machine: Machine, service: string): void;
  stopping(machine: Machine, unit: string): void;
  /** The machine's documents start anew (reinstalled, restored, lost with the power). */
  reset(machine: Machine): void;
}

export class Machine {
  readonly options: MachineOptions;
  readonly path = new Path();
  readonly disk: SimDisk;
  readonly kernel: Process;
  readonly simulated: SimulatedMachine;
  readonly tasks: Tasks;
  readonly heat: KernelHeat;
  powered = true;
  /** Taken away for good. */
  removed = false;
  process: Process | undefined;
  agent: Agent | undefined;
  link: SimLink | undefined;
  /** The agent's state as it tells it. */
  state = 'stopped';
  cluster: string | undefined;
  #world: World;
  #eyes: MachineEyes;
  #lives = 0;
  #stopping = false;
  /** Asked to start while it was still stopping. */
  #startAfter = false;

  constructor(world: World, options: MachineOptions, eyes: MachineEyes) {
    this.#world = world;
    this.options = options;
    this.#eyes = eyes;
    this.cluster = options.cluster;
    this.disk = new SimDisk(world, options.name);
    this.kernel = new Process(`${options.name} kernel`, world.timeline, world.dice.machines, options.wallOffsetMs);
    this.simulated = new SimulatedMachine({
      clock: this.kernel.clock,
      random: new Dice(world.seed, `${options.name} units`),
    });
    this.simulated.faults.delayMs = options.slowMs;
    this.heat = new KernelHeat(this.kernel.clock);
    this.tasks = new Tasks(world, options.name, this.kernel, () => this.disk.full);
  }

  get name(): string {
    return this.options.name;
  }

  /** The id it lives under, once it has decided. */
  get node(): string | undefined {
    return this.disk.memory?.node;
  }

  get running(): boolean {
    return this.process?.alive ?? false;
  }

  startAgent(): void {
    if (this.#stopping) this.#startAfter = true;
    if (!this.powered || this.running) return;
    const world = this.#world;
    const { timeline, dice, breaks } = world;
    const life = `${this.name} life ${++this.#lives}`;
    world.note(this.name, `agent starts (${life})`);
    const process = new Process(this.name, timeline, dice.machines, this.options.wallOffsetMs, () => {
      world.note(this.name, 'agent wakes');
      world.network.review();
    });
    const random = new Dice(world.seed, life);
    const clock = breaks === 'impatient-clock' ? hasty(process.clock) : process.clock;
    const link = new SimLink(world, process, this.path, (topic, payload) => this.#heard(topic, payload));
    const simulated = createSimulatedHost({ clock: process.clock, random, machine: this.simulated });
    const host = watchedHost(this, world, this.#eyes, simulated);
    const reconciler = watchedReconciler(this, world, this.#eyes, createReconciler({ host, clock, random }));
    const { node, hostname, periodMs } = this.options;
    this.process = process;
    this.link = link;
    this.agent = new Agent({
      base: world.base,
      ...(node === undefined ? {} : { node }),
      hostname,
      ver: '0.1.0',
      link,
      clock,
      random,
      verifier: breaks === 'gullible-node' ? gullibleVerifier : simVerifier,
      disk: this.disk,
      reconciler,
      telemetry: simTelemetry(process, this.heat),
      heat: new SimHeat(process, this.heat),
      work: new WorkRunner({
        executor: this.tasks.executorFor(process),
        outbox: this.tasks.outbox,
        cores: 2,
        clock,
        log: silentLog,
      }),
      periodMs,
      log: silentLog,
      trustFirst: this.cluster === undefined,
      ...(this.cluster === undefined ? {} : { cluster: this.cluster }),
      onState: (state, error) => {
        this.state = state;
        world.note(this.name, `agent ${state}${error === undefined ? '' : `: ${error}`}`);
        if (state !== 'stopped' && state !== 'left' && state !== 'refused') return;
        const again = this.#startAfter;
        this.#end(false);
        if (again) this.startAgent();
        // Whoever looks after services on this machine starts it again.
        if (state === 'refused') timeline.after(2500, () => this.startAgent());
      },
    });
    this.agent.start();
  }

  /** SIGTERM: farewell, then the end. */
  stopAgent(): void {
    if (!this.running || this.process?.stalled) return;
    this.#stopping = true;
    this.agent?.stop({ stopServices: false }, () => {});
  }

  /** SIGKILL. */
  crashAgent(): void {
    if (!this.running) return;
    this.#world.note(this.name, 'agent killed');
    this.#end(false);
  }

  #end(power: boolean): void {
    this.process?.kill();
    this.#stopping = false;
    this.#startAfter = false;
    this.link?.die(power);
    this.simulated.listener = undefined;
    this.tasks.agentGone();
    if (this.state !== 'refused' && this.state !== 'left') this.state = 'stopped';
    this.#world.network.review();
  }

  /** SIGSTOP for `ms`. */
  stall(ms: number): void {
    if (!this.running) return;
    this.#world.note(this.name, `agent stalls for ${Math.round(ms)} ms`);
    this.process?.stall(ms);
    this.#world.network.review();
  }

  powerCut(): void {
    if (!this.powered) return;
    this.#world.note(this.name, 'power cut');
    this.#end(true);
    this.powered = false;
    if (this.disk.powerCut()) this.#eyes.reset(this);
    this.simulated.boot();
    this.tasks.powerCut();
    this.heat.powerCut();
  }

  powerUp(): void {
    if (this.powered || this.removed) return;
    this.#world.note(this.name, 'power is back');
    this.powered = true;
    this.startAgent();
  }

  /** A new installation on the same machine: nothing kept, so its epochs start over. Its services died with the old system. */
  reinstall(cluster: string): void {
    this.powerCut();
    this.#world.note(this.name, 'reinstalled');
    this.cluster = cluster;
    this.disk.wipe();
    this.tasks.wipe();
    this.simulated.processes.clear();
    this.#eyes.reset(this);
    this.powerUp();
  }

  /** The disk as it was when `image` was taken. */
  restore(image: string): void {
    this.powerCut();
    this.#world.note(this.name, 'disk image restored');
    this.disk.restore(image);
    this.#eyes.reset(this);
    this.powerUp();
  }

  /** One of its services ends by itself. */
  killService(pick: number, signal: boolean): void {
    const running = [...this.simulated.processes.values()].filter(process => process.running);
    const victim = running[Math.floor(pick * running.length)];
    if (!victim) return;
    this.#world.note(this.name, `service ${victim.service} ends by itself`);
    this.simulated.kill(victim.unit, signal ? { signal: 'KILL' } : { code: 1 });
  }

  #heard(topic: string, payload: Uint8Array): void {
    if (this.#world.breaks !== 'replayed-want' || !topic.endsWith('/want')) return;
    const { rev, services } = JSON.parse(Buffer.from(payload).toString()) as {
      rev: number;
      services: Document['services'];
    };
    this.#eyes.applying(this, { rev, services }, false);
  }
}
