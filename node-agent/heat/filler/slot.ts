/** The one filler that a node has at a time, whichever kind it is, and how far it runs now. */
import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Timer } from '../../../shared/clock.ts';
import { makeFolder } from '../../../shared/make-folder.ts';
import type { Filler } from '../../../shared/schemas/room.ts';
import type { Dimmed } from '../../reconcile/host.ts';
import { findProgram } from '../../reconcile/services/programs.ts';
import { readBounded, replaceFile } from '../../replace-file.ts';
import type { NodeHeatParts } from '../side-parts.ts';
import { BoincFiller } from './boinc.ts';
import { CommandFiller } from './command.ts';
import { type FillerRun, isSameFiller } from './filler.ts';
import { ServiceFiller } from './service.ts';
import { type Turns, turns } from './turns.ts';

/** Whom a line of the watchdog's is about. */
function pidsIn(line: string): readonly string[] {
  const [, pid] = /^stop \S+ (\d+)$/.exec(line) ?? [];
  const [, group] = /^write 1 (.*)\/cgroup\.freeze$/.exec(line) ?? [];
  if (pid !== undefined || group === undefined) return pid === undefined ? [] : [pid];
  try {
    return readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

/** Of one turn of running and being frozen. */
const turnMs = 1000;
const serviceFile = 'service';

export class FillerSlot {
  readonly #parts: NodeHeatParts;
  readonly #service: (name: string, cores: number | undefined) => Dimmed;
  readonly #held: () => void;
  readonly #taskset: string | undefined;
  #spec: Filler | undefined;
  #run: FillerRun | undefined;
  /** What came before is ending; what comes waits for that. */
  #leaving = false;
  #turns: Turns | undefined;
  #timer: Timer | undefined;
  #cores = 0;
  #pinned = '';
  #error = '';

  /** @param held told when what the watchdog is to end is another. */
  constructor(parts: NodeHeatParts, service: (name: string, cores: number | undefined) => Dimmed, held: () => void) {
    this.#parts = parts;
    this.#held = held;
    this.#service = service;
    this.#taskset = findProgram('taskset', parts.path);
  }

  /** Whether it can be kept to some of the cores. */
  get pins(): boolean {
    return this.#taskset !== undefined;
  }

  get error(): string {
    return this.#error || (this.#run?.error ?? '');
  }

  /** An agent begins without heat: the service that was the filler stays frozen, a command that was is found and frozen. */
  startCold(): void {
    const service = this.#kept();
    if (service !== undefined) this.set({ service }, 0, undefined);
  }

  /** @param used cores that it used since the last look, once for each look. */
  set(spec: Filler | undefined, cores: number, used: number | undefined): void {
    this.#cores = cores;
    if (!isSameFiller(spec, this.#spec)) this.#change(spec);
    if (!this.#run || this.#leaving) return;
    if (this.#parts.groups.quota || cores === 0) {
      this.#timer?.cancel();
      this.#turns = undefined;
      this.#apply(cores);
    } else if (used !== undefined || !this.#turns) this.#turn(cores, used ?? 0);
  }

  usedMs(): number | undefined {
    return this.#run?.usedMs();
  }

  held(): readonly string[] {
    return this.#run?.held() ?? [];
  }

  /** Nothing of it is left. */
  end(done: () => void): void {
    this.#timer?.cancel();
    this.#unpin();
    const run = this.#run;
    this.#run = undefined;
    this.#spec = undefined;
    this.#keep(undefined);
    if (run) run.end(done);
    else done();
  }

  close(): void {
    this.#timer?.cancel();
    this.#run?.close();
  }

  #change(spec: Filler | undefined): void {
    this.#spec = spec;
    this.#turns = undefined;
    this.#unpin();
    const before = this.#run;
    this.#run = undefined;
    const service = spec && 'service' in spec ? spec.service : undefined;
    const old = this.#kept();
    // Named by an earlier agent, and not the filler any more.
    if (!before && old !== undefined && old !== service) this.#service(old, undefined);
    this.#keep(service);
    if (this.#leaving) return;
    if (!before) {
      this.#begin();
      return;
    }
    this.#leaving = true;
    before.end(() => {
      this.#leaving = false;
      this.#begin();
    });
  }

  #begin(): void {
    const spec = this.#spec;
    this.#error = '';
    if (!spec) return;
    const { folder, groups, clock, log, path, shell } = this.#parts;
    try {
      if ('service' in spec) {
        const { service } = spec;
        this.#run = new ServiceFiller(service, cores => this.#service(service, cores));
      } else if ('boinc' in spec) {
        this.#run = new BoincFiller({ folder: join(folder, 'boinc'), groups, clock, path }, spec.boinc);
      } else {
        makeFolder(join(folder, 'filler'));
        this.#run = new CommandFiller(
          { folder: join(folder, 'filler'), groups, clock, log, shell, held: this.#held },
          spec,
        );
      }
    } catch (error) {
      this.#error = `the filler cannot be used: ${(error as Error).message}`;
    }
    this.#apply(this.#cores);
  }

  #apply(cores: number): void {
    this.#run?.set(cores);
  }

  /** Runs for its part of the turn, and is frozen for the rest. */
  #turn(cores: number, used: number): void {
    const { clock, cores: machine } = this.#parts;
    this.#turns = turns(this.#turns, cores, used, machine, this.pins);
    const { share } = this.#turns;
    this.#apply(cores);
    this.#pin(this.#turns.cores, machine);
    this.#timer?.cancel();
    if (share < 1) this.#timer = clock.after(share * turnMs, () => this.#apply(0));
  }

  /** The last ones: the first core has most of the interrupts. */
  #pin(cores: number, machine: number): void {
    const pids = (this.#run?.held() ?? []).flatMap(pidsIn);
    const list = `${machine - cores}-${machine - 1}`;
    const key = `${list} ${pids.join()}`;
    if (!this.#taskset || key === this.#pinned) return;
    this.#pinned = key;
    for (const pid of pids) execFile(this.#taskset, ['-a', '-c', '-p', list, pid], { timeout: 5000 }, () => {});
  }

  /** A service that is the filler no more may be on every core again, also where an earlier agent kept it to some. */
  #unpin(): void {
    const { groups, cores } = this.#parts;
    if (this.#run && !groups.quota) this.#pin(cores, cores);
    this.#pinned = '';
  }

  #kept(): string | undefined {
    try {
      return readBounded(join(this.#parts.folder, serviceFile), 64);
    } catch {
      return undefined;
    }
  }

  #keep(service: string | undefined): void {
    try {
      if (service === undefined) rmSync(join(this.#parts.folder, serviceFile), { force: true });
      else {
        makeFolder(this.#parts.folder);
        replaceFile(this.#parts.folder, serviceFile, service, false);
      }
    } catch (error) {
      this.#parts.log.warn({}, `the filler is not known to the next agent: ${(error as Error).message}`);
    }
  }
}
