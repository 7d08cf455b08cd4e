/** A whole fabric in one run: headquarters, machines, the broker between them, people, and the properties that watch. */
import type { Document } from '../../node-agent/reconcile/reconciler.ts';
import { Broker, type Message } from './broker.ts';
import { Process } from './clock.ts';
import { Headquarters } from './headquarters.ts';
import { Machine, type MachineEyes, type MachineOptions } from './machine.ts';
import { People } from './people.ts';
import { Authority } from './properties/authority.ts';
import { Bounds } from './properties/bounds.ts';
import { Desired } from './properties/desired.ts';
import { type Property, type Sight, tickMs } from './properties/eyes.ts';
import { Heat } from './properties/heat.ts';
import { Jobs } from './properties/jobs.ts';
import { Presence } from './properties/presence.ts';
import { Services } from './properties/services.ts';
import type { Dice } from './random.ts';
import { Senders } from './senders.ts';
import { impostorSigner, simSigner } from './signatures.ts';
import { Tenants } from './tenants.ts';
import { World, type WorldOptions } from './world.ts';

const keyName = 'cluster';
/** The fingerprint of the true supervisor. */
export const trueCluster = simSigner(keyName).cluster;

export interface FabricOptions extends WorldOptions {
  readonly nodes: number;
}

export class Fabric implements Sight, MachineEyes {
  readonly world: World;
  readonly headquarters: Headquarters;
  readonly machines: Machine[] = [];
  readonly people: People;
  readonly desired: Desired;
  readonly senders: Senders;
  readonly jobs: Jobs;
  readonly tenants: Tenants;
  readonly heat: Heat;
  /** Another supervisor with an empty data folder; on an outside broker it may run beside the true one. */
  impostor: Headquarters | undefined;
  readonly #properties: readonly Property[];
  readonly #dice: Dice;
  #outside: Broker | undefined;
  #disturbed = new Map<Machine, number>();
  #sharedDisturbed = 0;
  /** What the outside broker keeps on disk of its retained messages. */
  #kept = new Map<string, Message>();

  constructor(options: FabricOptions) {
    const world = new World(options);
    this.world = world;
    this.#dice = world.stream('fabric');
    const slowDisk = this.#dice.chance(0.2);
    this.headquarters = new Headquarters(world, {
      name: 'supervisor',
      signer: simSigner(keyName),
      syncMs: slowDisk ? [5, 300] : [0.1, 5],
      again: true,
    });
    this.desired = new Desired(this);
    this.senders = new Senders(world, options.nodes);
    this.jobs = new Jobs(this, this.senders);
    this.heat = new Heat(this);
    this.tenants = new Tenants(world, () => this.#ids());
    const { desired, jobs, heat } = this;
    this.#properties = [
      desired,
      new Presence(this),
      new Authority(this),
      new Services(this),
      new Bounds(this),
      jobs,
      heat,
    ];
    this.people = new People({ world, nodes: () => this.#ids(), asked: this.desired.asked });
    world.brokerAt = () => this.#brokerAt();
    world.powered = process => this.#powered(process);
    world.observe = {
      published: (message, who) => {
        for (const property of this.#properties) property.published?.(message, who);
      },
      refused: (message, who) => {
        for (const property of this.#properties) property.refused?.(message, who);
      },
    };
    if (world.kind === 'outside') this.startBroker();
    for (let index = 1; index <= options.nodes; index++) this.addMachine(this.#usual(index));
    this.#tick();
  }

  #usual(index: number): MachineOptions {
    const dice = this.#dice;
    const name = `n${index}`;
    return {
      name,
      hostname: name,
      periodMs: 5000,
      slowMs: dice.chance(0.5) ? 0 : dice.between(1, 400),
      wallOffsetMs: dice.chance(0.2) ? dice.between(-1e9, 1e6) : 0,
      ...(dice.chance(0.5) ? { node: name } : {}),
      ...(dice.chance(0.5) ? { cluster: trueCluster } : {}),
    };
  }

  addMachine(options: MachineOptions): Machine {
    const machine = new Machine(this.world, options, this);
    this.machines.push(machine);
    return machine;
  }

  /** A machine that is never seen again. */
  removeMachine(machine: Machine): void {
    machine.powerCut();
    machine.removed = true;
    this.machines.splice(this.machines.indexOf(machine), 1);
  }

  #tick(): void {
    this.world.timeline.after(tickMs, () => {
      for (const property of this.#properties) property.tick?.();
      if (this.#dice.chance(0.02)) this.headquarters.keepRetained();
      if (this.#outside && this.#dice.chance(0.05)) this.#kept = new Map(this.#outside.retained);
      this.#tick();
    });
  }

  #ids(): string[] {
    return [...new Set(this.machines.map(machine => machine.node ?? machine.name))];
  }

  get broker(): Broker | undefined {
    return this.world.kind === 'outside' ? this.#outside : (this.impostor?.broker ?? this.headquarters.broker);
  }

  #brokerAt(): Broker | 'dark' | undefined {
    if (this.world.kind === 'outside') return this.#outside;
    const host = this.impostor ?? this.headquarters;
    return host.powered ? host.broker : 'dark';
  }

  #powered(process: Process): boolean {
    for (const machine of this.machines) if (machine.process === process) return machine.powered;
    for (const host of [this.headquarters, this.impostor]) if (host?.process === process) return host.powered;
    return true;
  }

  startBroker(): void {
    if (this.world.kind !== 'outside' || this.#outside) return;
    const process = new Process('broker', this.world.timeline, this.world.dice.machines, 0);
    this.#outside = new Broker(this.world, 'outside', process, new Map(this.#kept));
    this.#outside.listening = true;
    this.world.note('broker', 'starts');
  }

  /** The outside broker is killed: wills are not sent, and what it had not written of its retained messages is gone. */
  killBroker(): void {
    const broker = this.#outside;
    if (!broker) return;
    this.world.note('broker', 'is killed');
    this.#outside = undefined;
    broker.process.kill();
    broker.die(false);
    this.world.network.review();
  }

  /** A supervisor with an empty folder and a key of its own. */
  startImpostor(): void {
    if (this.impostor) return;
    const signer = this.world.breaks === 'gullible-node' ? impostorSigner(keyName) : simSigner('somebody else');
    this.impostor = new Headquarters(this.world, { name: 'impostor', signer, syncMs: [0.1, 5], again: false });
    this.impostor.start();
  }

  endImpostor(): void {
    this.impostor?.crash();
    this.impostor = undefined;
    this.world.network.review();
  }

  disturb(machine?: Machine): void {
    if (machine) this.#disturbed.set(machine, this.world.timeline.now);
    else this.#sharedDisturbed = this.world.timeline.now;
  }

  disturbedAt(machine: Machine): number {
    return this.#disturbed.get(machine) ?? 0;
  }

  sharedDisturbedAt(): number {
    return this.#sharedDisturbed;
  }

  byAuthority(who: string | undefined): boolean {
    if (who === undefined) return this.impostor === undefined;
    return who.startsWith(`${this.world.base}_supervisor_`);
  }

  applying(machine: Machine, document: Document, kept: boolean): void {
    for (const property of this.#properties) property.applying?.(machine, document, kept);
  }

  restarting(machine: Machine, service: string): void {
    for (const property of this.#properties) property.restarting?.(machine, service);
  }

  stopping(machine: Machine, unit: string): void {
    for (const property of this.#properties) property.stopping?.(machine, unit);
  }

  reset(machine: Machine): void {
    for (const property of this.#properties) property.reset?.(machine);
  }

  /** What is not as it has to be long after the last fault, with the property that says so. */
  unsettled(): { readonly property: string; readonly text: string }[] {
    return this.#properties.flatMap(property =>
      (property.unsettled?.() ?? []).map(text => ({ property: property.name, text })),
    );
  }
}
