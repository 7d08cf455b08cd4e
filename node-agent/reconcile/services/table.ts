/** All services of a node: turns what the host reports and the planner asks into events of the core, and its effects into calls. */
import type { Clock, Random, Timer } from '../../../shared/clock.ts';
import type { ItemStatus } from '../../../shared/schemas/observed.ts';
import type { Service } from '../../../shared/schemas/service.ts';
import type { Dimmed, FoundUnit, Host } from '../host.ts';
import type { ServiceIs } from '../plan.ts';
import type { OutputBefore, ReconcilerHandlers } from '../reconciler.ts';
import type { ItemStates } from './around.ts';
import { Attending, type AttendingParts } from './attending.ts';
import { type ServiceEffect, type ServiceEvent, step, wakeAt } from './core.ts';
import { Following } from './following.ts';
import { Relations } from './relations.ts';
import { errorOf, type ServiceState, standingOf, statusOf } from './state.ts';

export interface ServiceTableParts extends AttendingParts {
  readonly host: Host;
  readonly clock: Clock;
  readonly random: Random;
  /** What services may wait for beside each other; absent: there are no other items. */
  readonly items?: ItemStates;
}

interface Row {
  state: ServiceState;
  /** Its status as last told. */
  shown?: string;
  timer?: Timer;
  timerAt?: number;
  /** Called when the service has settled. */
  waiters: ((error?: string) => void)[];
}

export class ServiceTable {
  readonly #host: Host;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #handlers: ReconcilerHandlers;
  readonly #attending: Attending;
  readonly #following: Following;
  readonly #relations: Relations;
  readonly #rows = new Map<string, Row>();
  /** Services that run only so far for now, in cores. */
  readonly #dims = new Map<string, number>();
  /** Unit -> service, for reports of the host. */
  readonly #units = new Map<string, string>();
  readonly #queue: (() => void)[] = [];
  #draining = false;
  #closed = false;

  constructor(parts: ServiceTableParts, handlers: ReconcilerHandlers) {
    this.#host = parts.host;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#handlers = handlers;
    this.#attending = new Attending(
      parts,
      unit => this.#units.get(unit),
      (service, event) => this.#event(service, event),
    );
    this.#following = new Following(this.#attending.outputs, parts.clock, (service, lines) =>
      handlers.output(service, lines),
    );
    this.#relations = new Relations(parts.items, service => {
      const row = this.#rows.get(service);
      return row && standingOf(row.state);
    });
  }

  /** Takes over what an earlier agent left; calls `done` once. */
  adopt(done: () => void): void {
    this.#host.adopt(
      {
        exited: (unit, exit) => {
          const service = this.#units.get(unit);
          if (service === undefined || this.#closed) return;
          const lastLine = this.#host.tail(unit, 1)[0];
          this.#event(service, { type: 'exited', unit, exit, ...(lastLine === undefined ? {} : { lastLine }) });
        },
        output: (unit, lines) => {
          const service = this.#units.get(unit);
          if (service === undefined || this.#closed) return;
          if (this.#attending.outputs.heard(unit, lines)) this.#handlers.output(service, lines);
        },
      },
      found => {
        if (this.#closed) return;
        const services = new Map<string, FoundUnit[]>();
        for (const unit of found) {
          this.#units.set(unit.unit, unit.service);
          services.set(unit.service, [...(services.get(unit.service) ?? []), unit]);
        }
        for (const [service, units] of services) this.#event(service, { type: 'found', units });
        this.#later(done);
      },
    );
  }

  /** What the planner compares with the document. */
  is(): ReadonlyMap<string, ServiceIs> {
    return new Map(
      [...this.#rows].map(([name, { state }]) => [
        name,
        { target: state.held ? (state.current ?? state.last)?.spec : state.target, settled: state.settled },
      ]),
    );
  }

  /** The document whose steps come now, so that what they wait for is known before its own step. */
  expect(services: Readonly<Record<string, Service>>): void {
    this.#relations.expect(services);
    for (const service of this.#relations.waiting()) this.#lookAround(service);
  }

  /** A package or file, by path: its state is another one, or it is another thing than before (see {@link ItemStates}). */
  itemChanged(path: string): void {
    for (const service of this.#relations.dependants(path)) this.#lookAround(service);
  }

  /** Tells a service what to be. `done` when it is settled; never, where told something else meanwhile settles first. */
  want(service: string, spec: Service | undefined, done: (error?: string) => void): void {
    if (this.#closed) return;
    if (spec === undefined && !this.#rows.has(service)) {
      done();
      return;
    }
    this.#event(service, { type: 'want', spec }, done);
  }

  restart(service: string, done: (error?: string) => void): void {
    const row = this.#rows.get(service);
    if (!row || row.state.target === undefined) {
      done(`there is no service "${service}" on this node`);
      return;
    }
    this.#event(service, { type: 'restart' }, done);
  }

  follow(service: string, ms: number, done: (error?: string) => void, before?: OutputBefore): void {
    const row = this.#rows.get(service);
    if (!row) {
      done(`there is no service "${service}" on this node`);
      return;
    }
    this.#following.follow(service, (row.state.current ?? row.state.last)?.unit, ms, before);
    done();
  }

  items(): Record<string, ItemStatus> {
    const names = [...this.#rows.keys()].sort();
    return Object.fromEntries(
      names.flatMap(name => {
        const row = this.#rows.get(name);
        if (!row) return [];
        const { current, err } = row.state;
        // Beside an error there is no room: `is` must hold those of every service.
        const note = current && err === '' ? this.#host.note(current.unit) : undefined;
        return [[`services/${name}`, { ...statusOf(row.state), ...(note === undefined ? {} : { note }) }]];
      }),
    );
  }

  /** The first service, by name, that is not as wanted; `""` for none. */
  error(): string {
    for (const name of [...this.#rows.keys()].sort()) {
      const row = this.#rows.get(name);
      const error = row ? errorOf(row.state) : '';
      if (error !== '') return `services/${name}: ${error}`;
    }
    return '';
  }

  /** So many cores for a service until told otherwise, in all its units: 0 is frozen, undefined as it likes. */
  dim(service: string, cores: number | undefined): Dimmed {
    if (cores === undefined) this.#dims.delete(service);
    else this.#dims.set(service, cores);
    const unit = this.#rows.get(service)?.state.current?.unit;
    return unit === undefined || this.#closed ? {} : this.#host.dim(unit, cores);
  }

  names(): string[] {
    return [...this.#rows.keys()];
  }

  close(): void {
    this.#closed = true;
    for (const row of this.#rows.values()) row.timer?.cancel();
    this.#following.close();
    this.#attending.close();
    this.#host.close();
  }

  /** The host may answer while it is being asked: events queue up, so that no step runs inside another. */
  #later(run: () => void): void {
    this.#queue.push(run);
    if (this.#draining) return;
    this.#draining = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) next();
    this.#draining = false;
  }

  /** What it waits for may be another than before. */
  #lookAround(service: string): void {
    this.#later(() => {
      if (this.#rows.has(service)) this.#event(service, { type: 'around', around: this.#relations.around(service) });
    });
  }

  #event(service: string, event: ServiceEvent, waiter?: (error?: string) => void): void {
    this.#later(() => {
      if (this.#closed) return;
      const known = this.#rows.get(service);
      if (!known && event.type !== 'want' && event.type !== 'found') return;
      if (event.type === 'want') this.#relations.set(service, event.spec);
      const told = event.type === 'want' ? { ...event, around: this.#relations.around(service) } : event;
      const at = { now: this.#clock.now(), wall: this.#clock.wall(), random: this.#random };
      const stoodBefore = known && standingOf(known.state);
      const { state, effects } = step(known?.state, service, told, at);
      const row: Row = known ?? { state, waiters: [] };
      row.state = state;
      this.#rows.set(service, row);
      if (waiter) row.waiters.push(waiter);
      for (const effect of effects) this.#do(service, row, effect);
      this.#wake(service, row);
      const gone = this.#rows.get(service) !== row;
      const waiting = this.#relations.dependants(`services/${service}`);
      if (waiting.size > 0 && stoodBefore !== standingOf(state)) for (const each of waiting) this.#lookAround(each);
      const shown = JSON.stringify(statusOf(state));
      if (!gone && shown === row.shown) return;
      row.shown = shown;
      this.#handlers.changed();
    });
  }

  #do(service: string, row: Row, effect: ServiceEffect): void {
    switch (effect.do) {
      case 'start': {
        const { unit } = effect.unit;
        this.#units.set(unit, service);
        this.#host.start(effect.unit, (error, pid) => {
          const dim = this.#dims.get(service);
          if (error === undefined && dim !== undefined && !this.#closed) this.#host.dim(unit, dim);
          this.#event(
            service,
            error === undefined ? { type: 'started', unit, pid } : { type: 'start-failed', unit, error },
          );
        });
        this.#following.started(service, unit);
        return;
      }
      case 'stop':
        this.#host.stop(effect.unit, effect.signal, effect.graceMs, error =>
          this.#event(service, { type: 'stopped', unit: effect.unit, ...(error === undefined ? {} : { error }) }),
        );
        return;
      case 'adjust':
        // What it says to that is on `items`.
        this.#host.adjust(effect.unit, effect.spec, () => {
          if (!this.#closed) this.#handlers.changed();
        });
        return;
      case 'discard':
        this.#following.discarded(service, effect.unit);
        this.#attending.forget(effect.unit);
        this.#units.delete(effect.unit);
        this.#host.discard(effect.unit);
        return;
      case 'settled':
        for (const waiter of row.waiters.splice(0)) this.#later(() => waiter(effect.error));
        return;
      case 'gone':
        row.timer?.cancel();
        this.#rows.delete(service);
        return;
      case 'notice':
        this.#handlers.notice(effect.level, effect.kind, effect.text);
        return;
      default:
        this.#attending.do(service, effect);
    }
  }

  #wake(service: string, row: Row): void {
    if (this.#rows.get(service) !== row) return;
    const at = wakeAt(row.state);
    if (at === row.timerAt && (at === undefined || row.timer)) return;
    row.timer?.cancel();
    delete row.timer;
    delete row.timerAt;
    if (at === undefined) return;
    row.timerAt = at;
    row.timer = this.#clock.after(Math.max(0, at - this.#clock.now()), () => {
      delete row.timer;
      delete row.timerAt;
      this.#event(service, { type: 'time' });
    });
  }
}
