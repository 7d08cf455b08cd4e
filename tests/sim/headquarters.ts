/** The supervisor's machine: its disk, its power, the supervisor that comes and goes, and its broker or the way to one. */
import { createMemoryStore, type MemoryDisk, type MemoryStore } from '../../broker/store/memory.ts';
import { Supervisor } from '../../broker/supervisor.ts';
import type { Signer } from '../../shared/authority.ts';
import { silentLog } from '../../shared/log.ts';
import type { Store, StoreOp } from '../../shared/store.ts';
import { Broker, type Message } from './broker.ts';
import { EmbeddedBus, OutsideBus } from './bus.ts';
import { Process } from './clock.ts';
import { Path } from './network.ts';
import { Dice } from './random.ts';
import type { World } from './world.ts';

export interface HeadquartersOptions {
  readonly name: string;
  readonly signer: Signer;
  /** Bounds of the time a synced write takes. */
  readonly syncMs: readonly [number, number];
  /** Started again after it gave up. */
  readonly again: boolean;
}

export class Headquarters {
  readonly options: HeadquartersOptions;
  readonly journal: MemoryDisk = new Map();
  /** Outside: the way to the broker's machine. */
  readonly path = new Path();
  powered = true;
  process: Process | undefined;
  supervisor: Supervisor | undefined;
  /** `start` has called back without an error. */
  ready = false;
  /** Why the last start ended by itself. */
  refusal: string | undefined;
  /** The highest journal sequence on stable storage. */
  syncedRev = 0;
  /** What the running supervisor was told is on stable storage; the disk may hold a failed batch besides. */
  promised: MemoryDisk = new Map();
  /** Synced writes fail. */
  diskFull = false;
  broker: Broker | undefined;
  bus: EmbeddedBus | OutsideBus | undefined;
  #store: MemoryStore | undefined;
  #pending: (() => void)[] = [];
  #lastSync = 0;
  #world: World;
  /** Starts of the supervisor so far. */
  lives = 0;
  #stopping = false;
  /** Asked to start while it was still stopping. */
  #startAfter = false;
  #batches = 0;
  /** What the embedded broker keeps on disk of its retained messages; may lag behind. */
  #kept = new Map<string, Message>();

  constructor(world: World, options: HeadquartersOptions) {
    this.#world = world;
    this.options = options;
  }

  get running(): boolean {
    return this.process?.alive ?? false;
  }

  start(): void {
    if (this.#stopping) this.#startAfter = true;
    if (!this.powered || this.running) return;
    const world = this.#world;
    const { name, signer } = this.options;
    const life = `${name} life ${++this.lives}`;
    world.note(name, `supervisor starts (${life})`);
    // A machine without a battery for its clock is wrong about the time at every start.
    const random = new Dice(world.seed, life);
    const process = new Process(name, world.timeline, world.dice.machines, random.between(-5000, 5000), () => {
      world.note(name, 'supervisor wakes');
      world.network.review();
    });
    this.process = process;
    this.ready = false;
    this.refusal = undefined;
    const store = this.#openStore();
    if (world.kind === 'embedded') {
      this.broker = new Broker(world, 'embedded', process, new Map(this.#kept));
      this.bus = new EmbeddedBus(world, process, this.broker);
    } else {
      this.bus = new OutsideBus(world, process, this.path, `${world.base}_${name}_${this.lives}`, random.chance(0.5));
    }
    const broker = this.broker;
    this.supervisor = new Supervisor({
      base: world.base,
      ver: '0.1.0',
      bus: this.bus,
      store,
      signer,
      clock: process.clock,
      random,
      log: silentLog,
      onFatal: error => this.#giveUp(process, error),
    });
    this.supervisor.start(error => {
      if (!process.alive) return;
      if (error !== undefined) return this.#giveUp(process, error);
      world.note(name, 'supervisor ready');
      this.ready = true;
      if (broker) broker.listening = true;
    });
  }

  /** It ends by itself, and whoever looks after services on its machine starts it again. */
  #giveUp(process: Process, error: string): void {
    if (!process.alive) return;
    this.#world.note(this.options.name, `supervisor gives up: ${error}`);
    this.refusal = error;
    this.crash();
    if (this.options.again) this.#world.timeline.after(2500, () => this.start());
  }

  #openStore(): Store {
    const { timeline, dice, breaks } = this.#world;
    const process = this.process as Process;
    this.promised = new Map(this.journal);
    for (const key of this.journal.keys()) {
      if (key.startsWith('j/')) this.syncedRev = Math.max(this.syncedRev, Number(key.slice(2)));
    }
    this.#pending = [];
    const pending = this.#pending;
    const store = createMemoryStore({
      disk: this.journal,
      later: run => {
        const [least, most] = this.options.syncMs;
        const at = Math.max(this.#lastSync, timeline.now + dice.store.between(least, most));
        this.#lastSync = at;
        pending.push(run);
        timeline.at(at, () => {
          if (pending[0] !== run) return;
          pending.shift();
          process.arrive(store, run);
        });
      },
    });
    store.failWrites(this.diskFull ? noSpace : undefined);
    this.#store = store;
    return {
      read: (prefix, done) => store.read(prefix, done),
      get: (keys, done) => store.get(keys, done),
      readRange: (from, to, limit, done) => store.readRange(from, to, limit, done),
      close: done => store.close(done),
      write: (ops, done) => {
        if (breaks === 'forgotten-commits') ops = ops.filter(op => !('put' in op && op.put.startsWith('jobs/commit/')));
        if (breaks === 'lost-batch' && ++this.#batches % 3 === 0) {
          process.clock.after(1, () => done());
          return;
        }
        const synced = (error?: Error) => {
          if (error) {
            // A sync that failed may have left the batch on the disk.
            if (dice.store.chance(0.5)) apply(this.journal, ops);
            return;
          }
          apply(this.promised, ops);
          for (const op of ops) {
            if ('put' in op && op.put.startsWith('j/'))
              this.syncedRev = Math.max(this.syncedRev, Number(op.put.slice(2)));
          }
        };
        if (breaks === 'early-ack') {
          store.write(ops, synced);
          process.clock.after(0.01, () => done());
          return;
        }
        store.write(ops, error => {
          synced(error);
          done(error);
        });
      },
    };
  }

  fillDisk(full: boolean): void {
    this.diskFull = full;
    this.#store?.failWrites(full ? noSpace : undefined);
    this.#world.note(this.options.name, full ? 'disk full' : 'disk has space again');
  }

  jumpWall(ms: number): void {
    if (!this.process) return;
    this.#world.note(this.options.name, `the wall clock jumps by ${ms} ms`);
    this.process.wallOffsetMs += ms;
  }

  stall(ms: number): void {
    if (!this.running) return;
    this.#world.note(this.options.name, `supervisor stalls for ${Math.round(ms)} ms`);
    this.process?.stall(ms);
    this.#world.network.review();
  }

  /** SIGTERM. */
  stop(): void {
    const { process, supervisor } = this;
    if (!process?.alive || process.stalled || !supervisor || !this.ready) return;
    this.#world.note(this.options.name, 'supervisor is told to stop');
    this.#stopping = true;
    supervisor.stop(() => {
      if (this.process !== process) return;
      const again = this.#startAfter;
      this.crash();
      if (again) this.start();
    });
  }

  /** SIGKILL. */
  crash(): void {
    if (!this.running) return;
    this.#world.note(this.options.name, 'supervisor is gone');
    this.#end(false);
  }

  powerCut(): void {
    if (!this.powered) return;
    this.#world.note(this.options.name, 'power cut');
    this.#end(true);
    this.powered = false;
  }

  powerUp(): void {
    if (this.powered) return;
    this.powered = true;
    this.start();
  }

  #end(power: boolean): void {
    const { store: dice } = this.#world.dice;
    this.process?.kill();
    this.ready = false;
    this.#stopping = false;
    this.#startAfter = false;
    // What was under way may be on the disk all the same, in order, though nobody was told.
    const reached = dice.below(this.#pending.length + 1);
    for (const run of this.#pending.splice(0).slice(0, reached)) run();
    this.#store?.kill();
    if (this.broker) {
      this.broker.die(power);
      if (dice.chance(0.7)) this.#kept = new Map(this.broker.retained);
      this.broker = undefined;
    }
    if (this.bus instanceof OutsideBus) this.bus.die(power);
    this.bus = undefined;
    this.supervisor = undefined;
    this.#world.network.review();
  }

  /** The retained cache is written behind. */
  keepRetained(): void {
    if (this.broker) this.#kept = new Map(this.broker.retained);
  }
}

const noSpace = new Error('no space left on device');

function apply(disk: MemoryDisk, ops: readonly StoreOp[]): void {
  for (const op of ops) {
    if ('put' in op) disk.set(op.put, op.value);
    else disk.delete(op.del);
  }
}
