/**
 * Heating, put together: the adapter around its cores. Rooms and machines are looked at every ten seconds, and at once when a
 * person changes something; what comes out goes to nodes as orders that are leases, to jobs as room for those of class
 * `heat`, and to everybody as `is` of rooms and `power` of nodes.
 */
import type { Bus } from '../../shared/bus.ts';
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { Plug } from '../../shared/schemas/reading.ts';
import type { Store } from '../../shared/store.ts';
import type { Journal } from '../desired/journal.ts';
import type { Events } from '../fleet/events.ts';
import type { FleetView } from '../fleet/view.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { Answers } from '../orders/answers.ts';
import type { Orders, Session } from '../orders/orders.ts';
import { TokenBucket } from '../orders/token-bucket.ts';
import { floorShare } from './allocation/machine.ts';
import { byRoom } from './by-room.ts';
import { Calibrating } from './calibrating.ts';
import { aboveFuse, tooWarm } from './calibrating-bounds.ts';
import { Leases, orderFor } from './leases.ts';
import { type MachineNow, Machines, roomOf } from './machines.ts';
import { Measurements } from './measurements.ts';
import { HeatMemory } from './memory.ts';
import { Plugs } from './plugs.ts';
import type { Reading } from './power/draw.ts';
import { RoomMemories } from './room-memories.ts';
import { Rooms } from './rooms/rooms.ts';
import { round } from './round.ts';
import { SaidOfHeat } from './said.ts';
import { HeatShown, sumOf } from './shown.ts';
import type { Draw } from './types.ts';

export interface HeatOptions {
  /** What the fuse bears, W. */
  readonly fuseW?: number | undefined;
}

export interface HeatParts {
  readonly base: string;
  readonly bus: Bus;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly answers: Answers;
  readonly events: Pick<Events, 'emit'>;
  readonly journal: Journal;
  readonly view: Pick<FleetView, 'get' | 'put' | 'putRoom'>;
  readonly jobs: Pick<Jobs, 'heat' | 'heatWork' | 'drawn'>;
  readonly options: HeatOptions;
  session(node: string): Session | undefined;
  order(node: string, session: Session, args: Parameters<Orders['command']>[3]): void;
  maySpeak(): boolean;
  /** The document of a room is another one, or gone. */
  roomsChanged(room: string, gone: boolean): void;
  /** What is in the way of a room's thermometer, its outdoor one, or a node's plug, as far as their messages tell. */
  why(what: 'thermometer' | 'outdoor' | 'plug', id: string): string | undefined;
}

const everyMs = 10_000;
/** What cannot wait is looked at without delay so often, else after `lateMs`: a demand may come a thousand times a second. */
const atOnce = { burst: 10, perSecond: 2, lateMs: 500 } as const;
/** Of its cores: what the allocator leaves to a machine that may not stop yet, and as much again. */
const nothingShare = 2 * floorShare;

export class Heat {
  readonly rooms: Rooms;
  readonly calibrating: Calibrating;
  readonly #parts: HeatParts;
  readonly #machines = new Machines();
  readonly #leases: Leases;
  readonly #said: SaidOfHeat;
  readonly #memory: HeatMemory;
  readonly #rooms: RoomMemories;
  readonly #meters = new Map<string, Reading>();
  readonly #measurements: Measurements;
  readonly #shown: HeatShown;
  readonly #plugs: Plugs;
  readonly #urgent: TokenBucket;
  #lastAt: number | undefined;
  #timer: Timer | undefined;
  #soon: Timer | undefined;
  #stopped = false;

  constructor(parts: HeatParts) {
    this.#parts = parts;
    const { base, bus, store, clock, log, answers, journal, maySpeak } = parts;
    this.#said = new SaidOfHeat(journal);
    this.#urgent = new TokenBucket(atOnce, clock.now());
    this.rooms = new Rooms({
      ...{ base, bus, journal, clock, log, answers, maySpeak },
      changed: (room, what) => this.#changed(room, what),
      see: (room, view) => parts.view.putRoom(room, view),
    });
    this.#measurements = new Measurements(this.rooms);
    this.calibrating = new Calibrating({
      ...{ clock, answers },
      machine: node => (journal.durable.has(node) ? this.#machine(node) : undefined),
      learned: (node, model) => this.#memory.learned(node, model),
      tooMuch: node => aboveFuse(node, this.#all(), this.#machines, parts.options.fuseW),
    });
    this.#memory = new HeatMemory({
      ...{ store, clock, log },
      rooms: () => this.#rooms.controls(),
      allocation: () => this.#memory.allocation,
    });
    this.#rooms = new RoomMemories(this.#memory.controls);
    this.#leases = new Leases(this.#memory.fillers);
    this.#plugs = new Plugs(this.#machines, this.#memory, parts);
    this.#shown = new HeatShown({
      ...{ base, bus, journal, ledger: this.#memory.ledger, rooms: this.rooms, measurements: this.#measurements },
      why: parts.why,
      see: (node, heat) => parts.view.put(node, { heat }),
    });
  }

  /** The journal is loaded. `done` once, with one sentence where that failed. */
  load(done: (error?: string) => void): void {
    this.#memory.load(error => {
      const { journal, clock } = this.#parts;
      this.#memory.keepOnly(journal.durable, journal.durableRooms);
      this.#leases.resume(this.#memory.allocation.nodes, clock.now());
      if (error === undefined) this.rooms.load(done);
      else done(error);
    });
  }

  /** Alone on this base: from now on it heats. */
  begin(): void {
    this.rooms.again();
    if (!this.#timer) this.#again();
  }

  /** Plugs that documents name. */
  plugs(): readonly { readonly node: string; readonly plug: Plug }[] {
    return [...this.#parts.journal.durable.keys()].flatMap(node => {
      const { plug } = this.#said.of(node).heat;
      return plug ? [{ node, plug }] : [];
    });
  }

  /** What all machines draw. */
  get drawn() {
    return this.#shown.drawn;
  }

  /** The room that a node is in. */
  roomOf(node: string): string | undefined {
    return roomOf(this.#said.of(node));
  }

  /** Facts or telemetry of a node are others. */
  nodeChanged(node: string): void {
    const view = this.#parts.view.get(node);
    if (!view?.load) return;
    this.#machines.heard(node, view.info, view.load, this.#parts.clock.now());
    if (view.load.watts !== undefined) this.calibrating.rapl(node, view.load.watts);
  }

  /** Documents of nodes are others. */
  changed(nodes: Iterable<string>): void {
    for (const node of nodes) this.#said.changed(node);
    if (this.#parts.journal.durableRooms.size > 0) this.#now();
  }

  nodeGone(node: string): void {
    this.#said.changed(node);
    this.#machines.forget(node);
    this.calibrating.end(node, 'the node was forgotten');
    this.#leases.forget(node);
    this.#memory.forgetNode(node);
    this.#meters.delete(node);
    this.#shown.forget(node);
    this.#plugs.forget(node);
  }

  /** What sources heard; times are on the clock. */
  temp = (room: string, c: number, atMs: number): void => this.#measurements.temp(room, c, atMs);
  outdoor = (room: string, c: number, atMs: number): void => this.#measurements.outdoor(room, c, atMs);
  meter = (node: string, meter: Reading): void => {
    this.#meters.set(node, meter);
    this.calibrating.meter(node, meter.watts);
  };

  stop(done: () => void): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#soon?.cancel();
    this.rooms.stop(() => this.#memory.stop(done));
  }

  #changed(room: string, what: string): void {
    if (what === 'document') {
      const entry = this.#parts.journal.durableRooms.get(room);
      if (!entry) {
        this.#rooms.forget(room);
        this.#memory.forgetRoom(room);
        this.#measurements.forget(room);
      } else if (this.#measurements.named(room, entry.document)) this.#rooms.otherThermometer(room);
      this.#parts.roomsChanged(room, !entry);
    }
    // A thermometer's word can wait for the next round; a person's, and a demand in watts, cannot.
    if (what === 'document' || what === 'demand_w') this.#now();
  }

  #again(): void {
    this.#timer = this.#parts.clock.after(everyMs, () => {
      this.#again();
      this.#round();
    });
  }

  /** What changes together is looked at once. */
  #now(): void {
    if (this.#soon || this.#stopped || !this.#timer) return;
    const { clock } = this.#parts;
    this.#soon = clock.after(this.#urgent.take(clock.now()) ? 0 : atOnce.lateMs, () => {
      this.#soon = undefined;
      this.#round();
    });
  }

  #round(): void {
    const { clock, jobs, maySpeak, options } = this.#parts;
    if (this.#stopped || !maySpeak()) return;
    const now = clock.now();
    this.calibrating.tick();
    const machines = this.#all();
    const draws = this.#machines.draws(machines, now);
    const inRooms = byRoom(machines, roomOf);
    const heatW = (room: string) => sumOf(inRooms.get(room) ?? [], draws);
    this.#count(draws, heatW, now);
    for (const [node, { watts }] of draws) jobs.drawn(node, watts);
    for (const machine of machines) this.#plugs.look(machine, draws.get(machine.node), now);
    const entries = this.rooms.entries();
    const last = round({
      ...{ now, wall: clock.wall(), allocation: this.#memory.allocation, fuseW: options.fuseW },
      besideW: this.#leases.heldW(machines, (one, cores) => this.#machines.wattsAt(one, cores), now),
      rooms: [...entries].map(([room, entry]) => ({
        ...{ room, entry, measured: this.#measurements.of(room, now), memory: this.#rooms.of(room) },
        heatW: heatW(room),
      })),
      // Who is in no room matters to the fuse alone.
      machines: homes =>
        machines.flatMap(one => {
          const home = homes.get(roomOf(one) ?? '');
          if (!home && options.fuseW === undefined) return [];
          return this.#machines.of(one, draws.get(one.node), home, now) ?? [];
        }),
    });
    this.#memory.allocation = last.allocation;
    this.#rooms.keep(last.rooms);
    for (const [node, why] of tooWarm(last, machines)) this.calibrating.end(node, why);
    const levels = new Map(last.levels.map(({ node, cores }) => [node, cores]));
    for (const machine of machines) this.#tell(machine, levels.get(machine.node) ?? 0, now);
    this.#shown.tell({ last, machines, inRooms, draws, now });
    this.#memory.tick();
  }

  #all(): readonly MachineNow[] {
    return [...this.#parts.journal.durable.keys()].map(node => this.#machine(node));
  }

  #machine(node: string): MachineNow {
    const { online = false, info, load, is } = this.#parts.view.get(node) ?? {};
    const { running, waiting } = this.#parts.jobs.heatWork(node);
    return {
      ...{ node, online, info, load, state: is?.state, ...this.#said.of(node), work: running + waiting },
      ...{ meter: this.#meters.get(node), learned: this.#memory.models.get(node) },
      calibratingCores: this.calibrating.cores(node),
    };
  }

  /** Energy since the last round. */
  #count(draws: ReadonlyMap<string, Draw>, heatW: (room: string) => number, now: number): void {
    const ms = this.#lastAt === undefined ? 0 : now - this.#lastAt;
    this.#lastAt = now;
    if (ms <= 0) return;
    const { ledger } = this.#memory;
    for (const [node, { watts }] of draws) ledger.add(`node/${node}`, watts, ms);
    for (const room of this.rooms.entries().keys()) ledger.add(`room/${room}`, heatW(room), ms);
  }

  /** Who has left its room is told as well that nothing is asked of it any more. */
  #tell(machine: MachineNow, level: number, now: number): void {
    const { session, order, jobs } = this.#parts;
    const { node } = machine;
    const to = session(node);
    if (!to) return;
    const room = this.rooms.entries().get(roomOf(machine) ?? '');
    const cores = this.calibrating.cores(node) ?? level;
    const said = orderFor(cores, machine.heat, room?.document ?? {});
    // A machine that runs at its floor, since it may not stop yet, has nothing to give to tasks.
    const extra = cores - this.#machines.busy(node);
    jobs.heat(node, extra < nothingShare * (machine.info?.cores ?? 1) ? 0 : Math.ceil(extra - 0.05));
    if (this.#leases.due(node, `${to.inst}/${to.epoch}`, said, now)) order(node, to, said);
  }
}
