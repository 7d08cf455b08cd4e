/**
 * The {@link HeatSide} of a real machine: turns orders and a look each second into events of the core, and its effects
 * into quotas, processes and files. Nothing runs, no timer either, while no heat is asked for.
 *
 * In its folder: what scripts.ts says, `order` (what the lease was granted for, so that the next agent goes on with it)
 * and `service` (the filler that is a service of this node: it stays frozen also where an agent begins without heat).
 */
import { rmSync } from 'node:fs';
import type { Timer } from '../../shared/clock.ts';
import { makeFolder } from '../../shared/make-folder.ts';
import type { HeatOrder } from '../../shared/schemas/heat.ts';
import type { Filler } from '../../shared/schemas/room.ts';
import { Burner } from './burner.ts';
import {
  type Around,
  coldHeat,
  type HeatEffect,
  type HeatEvent,
  type HeatState,
  isAsked,
  type Measured,
  orderedOf,
  type Setting,
  step,
} from './core.ts';
import { FillerSlot } from './filler/slot.ts';
import { keepOrder, keptOrder, readFiller } from './kept-order.ts';
import { LeaseFile } from './lease-file.ts';
import { HeatMeters } from './meters.ts';
import type { HeatHandlers, HeatSide } from './side.ts';
import type { NodeHeatParts } from './side-parts.ts';
import { sweep } from './sweep.ts';
import { isBlind } from './thermal.ts';
import { Watchdog } from './watchdog.ts';

const lookMs = 1000;
/** After an order that begins heat: it is not made to wait for a whole second. */
const firstLookMs = 200;
/** What the watchdog may have frozen is thawed again this often. */
const thawEvery = 5;
const blindText =
  "the processor's temperature cannot be read any more: no heat until it can (without a sensor for good: restart the agent)";

export class NodeHeat implements HeatSide {
  readonly #parts: NodeHeatParts;
  readonly #around: Around;
  readonly #lease: LeaseFile;
  readonly #watchdog: Watchdog;
  readonly #burner: Burner;
  readonly #filler: FillerSlot;
  readonly #meters = new HeatMeters();
  #handlers: HeatHandlers | undefined;
  #state: HeatState = coldHeat;
  #timer: Timer | undefined;
  #looks = 0;
  /** Of this look, in cores: what steers by it does so once. */
  #used: Measured | undefined;
  #mostTasks = 0;
  /** What is in the groups may be frozen, by this agent or by the watchdog. */
  #frozen = true;
  #failure = '';
  #orderError = '';
  #shown = '';
  #closed = false;

  constructor(parts: NodeHeatParts) {
    this.#parts = parts;
    const { folder, shell, groups, cores, bootClock, clock } = parts;
    this.#around = { cores, quota: groups.quota };
    this.#lease = new LeaseFile(folder, bootClock);
    const beside = { folder, boot: bootClock.boot, shell };
    this.#watchdog = new Watchdog(beside);
    this.#burner = new Burner({
      ...beside,
      procs: groups.procs('burner'),
      quota: groups.quota,
      now: () => clock.now(),
    });
    this.#filler = new FillerSlot(
      parts,
      (name, at) => this.#handlers?.service(name, at) ?? {},
      () => this.#hold(),
    );
  }

  get cores(): number | undefined {
    return this.#asked ? this.#state.loop.heat : undefined;
  }

  get can(): readonly string[] {
    return ['heat', `heat-${this.#parts.groups.quota ? 'quota' : this.#filler.pins ? 'affinity' : 'stop'}`];
  }

  get error(): string {
    const running = () => (isBlind(this.#state.thermal) ? blindText : this.#filler.error);
    return this.#failure || this.#orderError || this.#burner.error || (this.#asked ? running() : '');
  }

  start(handlers: HeatHandlers): void {
    this.#handlers = handlers;
    const until = this.#lease.running();
    const order = until === undefined ? undefined : keptOrder(this.#parts.folder);
    sweep(this.#watchdog.heldBefore());
    if (until !== undefined && order) {
      this.#step({ type: 'order', order, leaseMs: until - this.#now() });
    } else {
      this.#lease.end();
      this.#filler.startCold();
    }
  }

  order(said: HeatOrder, done: (error?: string) => void): void {
    if (this.#closed) return;
    const filler = readFiller(said.filler);
    this.#orderError =
      filler === 'unreadable' ? 'the filler of the order cannot be read: is this agent an older version?' : '';
    this.#failure = '';
    const order = orderedOf(said, filler === 'unreadable' ? undefined : filler);
    try {
      makeFolder(this.#parts.folder);
      keepOrder(this.#parts.folder, said);
    } catch (error) {
      this.#fail(`heat cannot be kept in ${this.#parts.folder}: ${(error as Error).message}`);
    }
    if (this.#failure === '') this.#step({ type: 'order', order, leaseMs: said.lease_s * 1000 });
    done(this.#failure || this.#orderError || undefined);
  }

  tasksThere(running: number, waiting: number): void {
    if (!this.#closed) this.#step({ type: 'tasks', running, waiting });
  }

  forget(done: () => void): void {
    this.#step({ type: 'order', order: { cores: 0, maxTempC: 80, burner: false }, leaseMs: 0 });
    this.#closed = true;
    this.#filler.end(() => {
      this.#watchdog.stop();
      rmSync(this.#parts.folder, { recursive: true, force: true });
      this.#removeGroups(done);
    });
  }

  close(done: () => void): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#filler.close();
    // The burner ends in its own time, and so does the watchdog: the lease is theirs now.
    if (this.#asked) done();
    else this.#removeGroups(done, 4);
  }

  /** The kernel takes a moment to see off those who were killed; who stays for a reason (a frozen filler) keeps them. */
  #removeGroups(done: () => void, tries = 20): void {
    if (this.#parts.groups.remove() || tries === 0) done();
    else this.#parts.clock.after(50, () => this.#removeGroups(done, tries - 1));
  }

  get #asked(): boolean {
    // The clock is a file: it is not read where nobody asks for heat.
    return this.#state.until > Number.NEGATIVE_INFINITY && isAsked(this.#state, this.#now());
  }

  #now(): number {
    return this.#parts.bootClock.now();
  }

  #step(event: HeatEvent): void {
    const { state, effects } = step(this.#state, event, this.#now(), this.#around);
    const began = this.#timer === undefined;
    this.#state = state;
    try {
      for (const effect of effects) this.#do(effect);
    } catch (error) {
      this.#fail((error as Error).message);
    }
    if (this.#asked && began) this.#look(firstLookMs);
    this.#tell();
  }

  #do(effect: HeatEffect): void {
    if (effect.do === 'lease') {
      if (this.#asked) {
        this.#lease.write(effect.until);
        this.#watchdog.ensure();
      } else this.#lease.end();
    } else this.#set(effect.setting, effect.filler);
  }

  /** Whoever cannot be ended again is not begun: without lease or watchdog there is no heat. */
  #fail(why: string): void {
    this.#failure = why;
    this.#parts.log.error({}, why);
    const { order, running, waiting, thermal } = this.#state;
    this.#state = { ...coldHeat, order, running, waiting, thermal };
    this.#lease.end();
    try {
      this.#set(coldHeat.setting, order?.filler);
    } catch {
      // Its groups are gone: there is nobody in them either.
    }
  }

  #set(setting: Setting, filler: Filler | undefined): void {
    const { groups, cores } = this.#parts;
    const on = setting.total > 0;
    if (on) {
      groups.limit(setting);
      // Before anybody begins: an agent that is killed right after that leaves nobody whom the watchdog does not know.
      this.#hold();
    }
    if (on && this.#frozen) {
      // Also what the watchdog has frozen.
      for (const of of ['tasks', 'filler'] as const) groups.freeze(of, false, true);
    }
    if (!on && !this.#frozen) groups.freeze('tasks', true);
    this.#frozen = !on;
    if (setting.tasks !== this.#mostTasks) {
      this.#mostTasks = setting.tasks;
      this.#handlers?.tasks(setting.tasks, groups.folders('tasks'));
    }
    const used = this.#used;
    this.#used = undefined;
    this.#filler.set(filler, setting.filler, used?.filler);
    const level = Math.min(cores, Math.ceil((this.#state.order?.cores ?? 0) - 0.001));
    this.#burner.set(setting.burner, level, used?.burner);
    if (on) this.#hold();
  }

  #hold(): void {
    if (this.#asked && !this.#closed) this.#watchdog.hold(this.#held());
  }

  #held(): readonly string[] {
    const burners = this.#burner.running.map(({ pid, start }) => `end ${start} ${pid}`);
    return [...this.#parts.groups.held(), ...burners, ...this.#filler.held()];
  }

  #look(ms = lookMs): void {
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(ms, () => {
      this.#timer = undefined;
      if (!this.#closed) this.#tick();
    });
    if (ms === firstLookMs) {
      this.#meters.clear();
      this.#parts.machine();
      this.#meters.look(this.#sums(), performance.now());
    }
  }

  #tick(): void {
    if (!this.#asked) {
      // Its time is over and nobody renewed it, or there was an order to end.
      this.#lease.end();
      this.#step({ type: 'time' });
      this.#set(this.#state.setting, this.#state.order?.filler);
      return;
    }
    const machine = this.#parts.machine();
    const used = this.#meters.look(this.#sums(), performance.now());
    this.#look();
    try {
      this.#watchdog.ensure();
      if (this.#looks++ % thawEvery === 0) this.#frozen = true;
    } catch (error) {
      this.#fail((error as Error).message);
    }
    if (!machine || !used) return;
    this.#used = used;
    this.#step({ type: 'look', machine, used, throttled: this.#parts.groups.throttled() });
    // Where the setting stays, burner and filler still steer towards it.
    if (this.#used) this.#again();
  }

  #again(): void {
    try {
      this.#set(this.#state.setting, this.#state.order?.filler);
    } catch (error) {
      this.#fail((error as Error).message);
    }
    this.#tell();
  }

  #sums() {
    const { groups } = this.#parts;
    return {
      tasks: groups.usage ? groups.usedMs('tasks') : undefined,
      filler: this.#filler.usedMs(),
      burner: (groups.usage ? groups.usedMs('burner') : undefined) ?? this.#burner.usedMs(),
    };
  }

  #tell(): void {
    const shown = `${this.error} ${this.#asked}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#handlers?.changed();
  }
}
