/** The filler that is a command: started with the first share of heat, frozen where there is none, started again where it ends. */
import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import type { Clock } from '../../../shared/clock.ts';
import type { Log } from '../../../shared/log.ts';
import type { Filler } from '../../../shared/schemas/room.ts';
import { type Service, serviceSchema } from '../../../shared/schemas/service.ts';
import type { Dimmed, FoundUnit, UnitExit } from '../../reconcile/host.ts';
import { Cgroups } from '../../reconcile/services/cgroup.ts';
import { createRealHost, type RealHost } from '../../reconcile/services/real-host.ts';
import type { HeatGroups } from '../groups.ts';
import { type FillerRun, heldOf } from './filler.ts';

export type CommandSpec = Extract<Filler, { readonly run: unknown }>;

export interface CommandFillerParts {
  /** Its own; what an earlier agent started is found in it. */
  readonly folder: string;
  readonly groups: HeatGroups;
  readonly clock: Clock;
  readonly log: Log;
  /** It runs, and can be frozen. */
  held(): void;
  /** A POSIX shell; the system's where absent. */
  readonly shell?: string | undefined;
}

const name = 'filler';
/** Between TERM and KILL. */
const graceMs = 5000;
const backoffMs = { first: 1000, most: 60_000 } as const;
/** Who ran for so long ran well: the next pause is a short one. */
const ranWellMs = 60_000;

export class CommandFiller implements FillerRun {
  readonly #parts: CommandFillerParts;
  readonly #spec: Service;
  readonly #host: RealHost;
  /** The class group of version 2 takes its groups; those of version 1 are joined once it runs. */
  readonly #cgroups: Cgroups;
  #ready = false;
  #cores = 0;
  #unit: { readonly unit: string; running: boolean; startedAt: number; pid: number | undefined } | undefined;
  #ends = 0;
  #notBefore = Number.NEGATIVE_INFINITY;
  #last: Dimmed = {};
  #spentMs = 0;
  #error = '';
  #ending: (() => void) | undefined;

  constructor(parts: CommandFillerParts, { run, user, env }: CommandSpec) {
    this.#parts = parts;
    this.#spec = serviceSchema.parse({
      run,
      ...(user === undefined ? {} : { user }),
      ...(env === undefined ? {} : { env }),
    });
    this.#cgroups = new Cgroups(parts.groups.second('filler'));
    const { folder, log, shell } = parts;
    const starting = { primeAfterMs: Number.POSITIVE_INFINITY, ...(shell === undefined ? {} : { shell }) };
    this.#host = createRealHost({ folder, log, cgroups: this.#cgroups, starting });
    this.#host.adopt({ exited: (unit, exit) => this.#exited(unit, exit), output: () => {} }, found =>
      this.#found(found),
    );
  }

  get error(): string {
    return this.#error;
  }

  set(cores: number): void {
    this.#cores = cores;
    if (!this.#ready || this.#ending) return;
    if (this.#unit?.running) this.#dim();
    else if (!this.#unit && cores > 0 && this.#parts.clock.now() >= this.#notBefore) this.#start();
  }

  usedMs(): number | undefined {
    return this.#last.usedMs === undefined ? undefined : this.#spentMs + this.#last.usedMs;
  }

  held(): readonly string[] {
    return heldOf(this.#last);
  }

  end(done: () => void): void {
    this.#ending = done;
    if (this.#ready) this.#stop();
  }

  close(): void {
    this.#host.close();
  }

  #found(found: readonly FoundUnit[]): void {
    const wanted = JSON.stringify(this.#spec);
    for (const { unit, spec, exit, pid } of found) {
      const keep = !this.#unit && exit === undefined && JSON.stringify(spec) === wanted;
      if (keep) this.#unit = { unit, running: true, startedAt: this.#parts.clock.now(), pid };
      else this.#host.stop(unit, 'TERM', graceMs, () => this.#host.discard(unit));
    }
    this.#ready = true;
    if (this.#ending) this.#stop();
    else this.set(this.#cores);
  }

  #start(): void {
    const unit = randomBytes(16).toString('hex');
    const mine = { unit, running: false, startedAt: this.#parts.clock.now(), pid: undefined as number | undefined };
    this.#unit = mine;
    this.#host.start({ unit, service: name, spec: this.#spec }, (error, pid) => {
      if (error !== undefined) {
        this.#unit = undefined;
        this.#failed(`the filler cannot be started: ${error}`);
      } else if (this.#unit === mine) {
        mine.running = true;
        mine.pid = pid;
        this.#join(pid);
        this.#error = '';
        if (!this.#ending) this.#dim();
        this.#parts.held();
      }
      if (this.#ending) this.#stop();
    });
  }

  /** Into the groups whose quota dims it; where its first processes had children already, into those they go too. */
  #join(pid: number | undefined): void {
    if (pid === undefined) return;
    const { groups } = this.#parts;
    for (const folder of groups.folders('filler')) {
      if (folder !== groups.second('filler')) this.#cgroups.hold(folder, pid, () => {});
    }
  }

  #dim(): void {
    const { unit = '' } = this.#unit ?? {};
    // Its quota is its class group's; where there is none, it is frozen and thawed in turn.
    this.#last = this.#host.dim(unit, this.#cores === 0 ? 0 : undefined);
  }

  #exited(unit: string, exit: UnitExit): void {
    const mine = this.#unit;
    if (mine?.unit !== unit) return;
    const lastLine = this.#host.tail(unit, 1)[0];
    this.#unit = undefined;
    this.#spentMs += this.#last.usedMs ?? 0;
    this.#last = {};
    if (this.#ending) return;
    // What it left behind goes with it.
    this.#host.stop(unit, 'TERM', graceMs, () => this.#host.discard(unit));
    if (this.#parts.clock.now() - mine.startedAt >= ranWellMs) this.#ends = 0;
    const how = exit.why ?? exit.unknown ?? (exit.signal ? `ended by ${exit.signal}` : `exit status ${exit.code}`);
    this.#failed(`the filler ended: ${how}${lastLine ? `, ${lastLine}` : ''}`.slice(0, 300));
  }

  #failed(why: string): void {
    const pause = Math.min(backoffMs.most, backoffMs.first * 2 ** Math.min(this.#ends++, 10));
    this.#notBefore = this.#parts.clock.now() + pause;
    this.#error = `${why}; tried again in ${Math.round(pause / 1000)} s`;
    this.#parts.log.warn({ filler: basename(this.#parts.folder) }, why);
  }

  #stop(): void {
    const done = this.#ending ?? (() => {});
    const unit = this.#unit?.unit;
    const over = () => {
      this.#host.close();
      done();
    };
    if (unit === undefined) {
      over();
      return;
    }
    this.#unit = undefined;
    this.#host.stop(unit, 'TERM', graceMs, () => {
      this.#host.discard(unit);
      over();
    });
  }
}
