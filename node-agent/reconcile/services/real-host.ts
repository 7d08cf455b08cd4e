/**
 * The real {@link Host}: a shim (shim.ts) per unit, which outlives the agent. The truth is on disk (unit-folder.ts) and in
 * /proc; memory only saves asking. In steady state: no child process but shims, no timer, one inotify watch and one per unit.
 */
import type { Log } from '../../../shared/log.ts';
import type { Service } from '../../../shared/schemas/service.ts';
import type { Dimmed, FoundUnit, Host, HostHandlers, Unit, UnitExit } from '../host.ts';
import { Cgroups } from './cgroup.ts';
import type { Containers } from './containers.ts';
import { Dimming } from './dimming.ts';
import { whyUnwritable } from './disk-probe.ts';
import { findUnits } from './find-units.ts';
import { inherited, launchParts } from './launch.ts';
import { Limiting } from './limiting.ts';
import { lastLines } from './line-reader.ts';
import { idle, type Live, plainLine, runs, shimLost } from './live.ts';
import { OutputFile } from './output-file.ts';
import { lowerPriority } from './priority.ts';
import { bootId, isAlive } from './processes.ts';
import { RunWatch } from './run-watch.ts';
import { Starter, type StarterOptions } from './starter.ts';
import { exitFromStatus, reason, UnitFolder } from './unit-folder.ts';
import { UnitProcesses } from './unit-processes.ts';

export interface RealHostParts {
  /** The agent's own, made where needed. Throws from {@link createRealHost} where it cannot be written. */
  readonly folder: string;
  readonly log: Log;
  /** Which cgroups to use; found out where absent. For tests. */
  readonly cgroups?: Cgroups;
  /** How units are started: what opens their secrets; the rest is for tests. */
  readonly starting?: StarterOptions;
  /** The environment that other programs are run with, and found by its PATH; the agent's own where absent. */
  readonly inherited?: Readonly<Record<string, string>>;
}

/** Units that are not this agent's children are looked after this often too, should a file event be missed. */
const slowLookMs = 15_000;
/** The same, while a shim was asked for and has not written its record. */
const startLookMs = 500;

export const createRealHost = (parts: RealHostParts): RealHost => new RealHost(parts);

export class RealHost implements Host {
  readonly #folder: UnitFolder;
  readonly #log: Log;
  readonly #cgroups: Cgroups;
  readonly #limiting: Limiting;
  readonly #dimming: Dimming;
  readonly #containers: Containers;
  readonly #processes: UnitProcesses;
  readonly #boot = bootId();
  readonly #units = new Map<string, Live>();
  readonly #starter: Starter;
  #handlers: HostHandlers | undefined;
  #watch: RunWatch | undefined;
  #slow: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: RealHostParts) {
    this.#folder = new UnitFolder(parts.folder);
    this.#log = parts.log;
    this.#cgroups = parts.cgroups ?? Cgroups.find();
    this.#limiting = new Limiting(this.#cgroups);
    this.#dimming = new Dimming(this.#cgroups);
    const asked = launchParts(this.#folder, parts.inherited ?? inherited);
    this.#containers = asked.containers;
    this.#processes = new UnitProcesses(this.#cgroups, this.#limiting, this.#containers, this.#boot);
    this.#starter = new Starter(this.#folder, this.#boot, asked, parts.starting ?? {});
  }

  get primed(): boolean {
    return this.#starter.primed;
  }

  adopt(handlers: HostHandlers, done: (found: readonly FoundUnit[]) => void): void {
    this.#handlers = handlers;
    this.#watch = new RunWatch(this.#folder.runs, this.#log, (unit, file) => this.#written(unit, file));
    const found = findUnits(this.#folder, this.#boot, this.#log).map(({ stored, unit, live }) => {
      this.#limiting.found(live, stored);
      this.#units.set(live.unit, live);
      if (!live.ended) live.output = this.#outputOf(live);
      return unit;
    });
    this.#containers.sweep(unit => this.#units.has(unit), this.#log);
    this.#slowLook();
    setImmediate(() => {
      if (this.#closed) return;
      done(found);
      this.#starter.begin();
    });
  }

  start(unit: Unit, done: (error?: string, pid?: number) => void): void {
    if (this.#closed) return;
    const live: Live = { ...idle(unit.unit, unit.spec, this.#cgroups.pathFor(unit.unit)), started: done };
    this.#units.set(unit.unit, live);
    const place = this.#limiting.begin(live, unit.spec);
    const handlers = {
      failed: (error: string) => this.#startFailed(live, error),
      ended: (code: number | null, signal: string | null) => this.#shimEnded(live, code, signal),
    };
    this.#starter.start(unit, place, handlers, shim => {
      live.shimPid = shim.pid;
      live.letGo = shim.letGo;
      live.output = this.#outputOf(live);
      // The record may have been written, and its event read, before it was known here.
      this.#record(live);
      this.#slowLook();
    });
  }

  stop(unit: string, signal: string, graceMs: number, done: (error?: string) => void): void {
    const live = this.#units.get(unit);
    if (!live && !this.#closed) setImmediate(done);
    if (!live || this.#closed) return;
    this.#dimming.thaw(live, this.#processes.others(live));
    live.stopping?.abandon();
    live.stopping = this.#processes.stop(live, signal, graceMs, error => {
      live.stopping = undefined;
      if (error === undefined) {
        this.#limiting.remove(live);
        this.#ended(live, this.#folder.end(unit) ?? { unknown: shimLost });
      }
      // After the report of its end.
      setImmediate(() => {
        if (!this.#closed) done(error);
      });
    });
  }

  adjust(unit: string, spec: Service, done: () => void): void {
    const live = this.#units.get(unit);
    if (!live || live.ended || this.#closed) return void setImmediate(done);
    this.#limiting.adjust(live, spec, this.#processes.others(live), place => {
      if (this.#closed || !this.#units.has(unit)) return;
      try {
        this.#folder.change(unit, { spec, ...place });
      } catch (error) {
        this.#log.warn({ unit }, `the next agent will not know of other limits: ${reason(error)}`);
      }
      done();
    });
  }

  dim(unit: string, cores: number | undefined): Dimmed {
    const live = this.#units.get(unit);
    return live && !this.#closed ? this.#dimming.dim(live, cores, this.#processes.others(live)) : {};
  }

  note(unit: string): string | undefined {
    return this.#units.get(unit)?.note;
  }

  discard(unit: string): void {
    const live = this.#units.get(unit);
    live?.output?.close();
    live?.becoming?.drop();
    live?.stopping?.abandon();
    if (live) this.#limiting.remove(live);
    this.#units.delete(unit);
    try {
      this.#folder.remove(unit);
    } catch (error) {
      // A disk that became read-only: the next agent finds it as ended, and tries again.
      this.#log.warn({ unit }, `files of an ended run of a service stay: ${reason(error)}`);
    }
  }

  tail(unit: string, lines: number): readonly string[] {
    return lastLines(this.#folder.output(unit), lines).map(plainLine);
  }

  follow(unit: string, on: boolean, fromStart = false): void {
    const live = this.#units.get(unit);
    if (!live) return;
    live.follow = on ? { fromStart } : undefined;
    live.output?.follow(on, fromStart);
  }

  close(): void {
    this.#closed = true;
    this.#handlers = undefined;
    this.#watch?.close();
    clearTimeout(this.#slow);
    for (const live of this.#units.values()) {
      live.output?.close();
      live.becoming?.drop();
      live.stopping?.abandon();
      live.letGo?.();
    }
    this.#units.clear();
    this.#starter.close();
  }

  #startFailed(live: Live, error: string): void {
    this.#limiting.remove(live);
    const { started } = live;
    live.started = undefined;
    live.shimPid = undefined;
    setImmediate(() => {
      this.discard(live.unit);
      if (!this.#closed) started?.(error);
    });
  }

  /** Takes up the start record, if it is there. */
  #record(live: Live): void {
    if (live.run || live.ended) return;
    live.run = this.#folder.run(live.unit);
    if (!live.run) return;
    const { pid } = live.run.main;
    lowerPriority(pid, live.nice);
    const { cgroup } = live;
    if (cgroup !== undefined) {
      this.#cgroups.hold(cgroup, pid, () => {
        if (this.#units.get(live.unit) !== live) this.#cgroups.remove(cgroup);
      });
    }
    const { started } = live;
    live.started = undefined;
    const tell = () => {
      this.#limiting.check(live, pid);
      setImmediate(() => !this.#closed && started?.(undefined, pid));
    };
    if (started) live.becoming = this.#starter.becoming(pid, tell);
  }

  #written(unit: string, file: 'run' | 'end'): void {
    const live = this.#units.get(unit);
    if (!live) return;
    this.#record(live);
    if (file === 'end') this.#readEnd(live);
  }

  #readEnd(live: Live): boolean {
    const exit = live.ended ? undefined : this.#folder.end(live.unit);
    if (!exit) return false;
    live.stopping?.poke();
    this.#ended(live, exit);
    return true;
  }

  #shimEnded(live: Live, code: number | null, signal: string | null): void {
    live.shimPid = undefined;
    this.#record(live);
    live.stopping?.poke();
    if (live.ended || this.#readEnd(live)) return;
    if (!live.run) {
      const disk = whyUnwritable(this.#folder.runFile(live.unit));
      const said = disk === undefined ? this.tail(live.unit, 1)[0] : `cannot be started: ${disk}`;
      this.#startFailed(live, said ?? `the shell that starts it ended with ${signal ?? code}`);
    } else if (isAlive(live.run.main)) this.#slowLook();
    // Its own exit status is the service's too, and arrives where a full disk took no record of it.
    else if (code !== null) this.#ended(live, exitFromStatus(code));
    else this.#ended(live, { unknown: `its shim was ended by ${signal}` });
  }

  #ended(live: Live, exit: UnitExit): void {
    if (live.ended) return;
    live.ended = true;
    live.becoming?.now();
    const told = this.#limiting.told(live, exit);
    setImmediate(() => {
      // Its last lines come before its end; and the end after the report of its start.
      live.output?.finish();
      live.output = undefined;
      this.#handlers?.exited(live.unit, told);
    });
  }

  #outputOf(live: Live): OutputFile {
    const file = new OutputFile(this.#folder.output(live.unit), live.outputLimit, lines =>
      this.#handlers?.output(live.unit, lines.map(plainLine)),
    );
    if (live.follow) file.follow(true, live.follow.fromStart);
    return file;
  }

  /** For units that are no children of this agent, or whose record is awaited; nothing else keeps a timer. */
  #slowLook(): void {
    clearTimeout(this.#slow);
    const running = [...this.#units.values()].filter(live => !live.ended);
    const starting = running.some(live => !live.run);
    if (this.#closed || !(starting || running.some(live => live.shimPid === undefined))) return;
    this.#slow = setTimeout(
      () => {
        for (const live of running) {
          this.#record(live);
          if (live.ended || this.#readEnd(live) || live.shimPid !== undefined || runs(live)) continue;
          this.#ended(live, this.#folder.end(live.unit) ?? { unknown: shimLost });
        }
        this.#slowLook();
      },
      starting ? startLookMs : slowLookMs,
    );
  }
}
