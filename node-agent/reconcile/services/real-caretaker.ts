/**
 * The real {@link Caretaker}: probes run as their service does, with its environment, its folder and its rights, a few at
 * a time, and less urgent than the agent.
 */

import type { Log } from '../../../shared/log.ts';
import type { Service } from '../../../shared/schemas/service.ts';
import { type Health, signalNames } from '../../../shared/schemas/service-life.ts';
import { looksSealed } from '../../../shared/sealed-value.ts';
import type { Unit } from '../host.ts';
import type { Caretaker, RunningUnit } from './caretaker.ts';
import { besideLaunch, inherited, type Launch, launchParts, systemShell } from './launch.ts';
import { askAddress, askPort, type Done, type Probe, runCommand } from './probes.ts';
import { isAlive } from './processes.ts';
import type { Opened, Secrets } from './secrets.ts';
import { reason, UnitFolder } from './unit-folder.ts';

export interface RealCaretakerParts {
  /** The host's folder. */
  readonly folder: string;
  readonly log: Log;
  /** Absent: a command of a service with a sealed value in its environment cannot be run. */
  readonly secrets?: Secrets;
  /** Most probes at a time. */
  readonly atOnce?: number;
}

/** A reload that takes longer is stuck. */
const reloadMs = 30_000;

export const createCaretaker = (parts: RealCaretakerParts): Caretaker => new RealCaretaker(parts);

interface Waiting {
  begin(): void;
  over: boolean;
}

class RealCaretaker implements Caretaker {
  readonly #folder: UnitFolder;
  readonly #log: Log;
  readonly #secrets: Secrets | undefined;
  readonly #launching: ReturnType<typeof launchParts>;
  readonly #atOnce: number;
  /** Probes and reloads that wait for their turn. At most one of each per unit is ever asked for. */
  readonly #queue: Waiting[] = [];
  readonly #running = new Set<Probe>();
  #closed = false;

  constructor(parts: RealCaretakerParts) {
    this.#folder = new UnitFolder(parts.folder);
    this.#log = parts.log;
    this.#secrets = parts.secrets;
    this.#launching = launchParts(this.#folder, inherited);
    this.#atOnce = parts.atOnce ?? 4;
  }

  check(unit: RunningUnit, health: Health, done: Done): Probe {
    const timeoutMs = (health.timeout_s ?? 5) * 1000;
    return this.#inTurn(over => {
      const { http, tcp, command } = health;
      if (http !== undefined) return askAddress(http, timeoutMs, over);
      if (tcp !== undefined) return askPort(tcp, timeoutMs, over);
      return this.#run(unit, command ?? 'false', timeoutMs, over);
    }, done);
  }

  reload(unit: RunningUnit, how: NonNullable<Service['reload']>, done: Done): void {
    const signal = signalNames.find(name => name === how);
    if (signal === undefined) this.#inTurn(over => this.#run(unit, how, reloadMs, over), done);
    else setImmediate(() => this.#closed || done(this.#signal(unit, signal)));
  }

  remember({ unit, marks }: Unit): void {
    try {
      if (marks) this.#folder.change(unit, { marks: { ...marks } });
    } catch (error) {
      // The next agent may restart or reload it once more.
      this.#log.warn({ unit }, `what a service was started with cannot be kept: ${reason(error)}`);
    }
  }

  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
    for (const probe of this.#running) probe.cancel();
    this.#running.clear();
  }

  /** Only to the process that was started, never to another one under its number. */
  #signal({ unit, pid }: RunningUnit, signal: string): string | undefined {
    const main = this.#folder.run(unit)?.main;
    if (!main || main.pid !== pid || !isAlive(main)) return `${signal} was not sent: its process has ended`;
    try {
      process.kill(main.pid, `SIG${signal}` as NodeJS.Signals);
      return undefined;
    } catch (error) {
      return `${signal} was not sent: ${reason(error)}`;
    }
  }

  #inTurn(start: (over: Done) => Probe, done: Done): Probe {
    let probe: Probe | undefined;
    const waiting: Waiting = {
      over: false,
      begin: () => {
        probe = start(error => {
          if (waiting.over) return;
          leave();
          done(error);
        });
        this.#running.add(probe);
      },
    };
    const leave = () => {
      waiting.over = true;
      if (probe) this.#running.delete(probe);
      this.#next();
    };
    this.#queue.push(waiting);
    this.#next();
    return {
      cancel: () => {
        if (waiting.over) return;
        probe?.cancel();
        leave();
      },
    };
  }

  #next(): void {
    while (!this.#closed && this.#running.size < this.#atOnce) {
      const next = this.#queue.shift();
      if (!next) return;
      if (!next.over) next.begin();
    }
  }

  /** As the service runs, and told in HEARTH_PID which process it is. */
  #run(unit: RunningUnit, run: NonNullable<Service['run']>, timeoutMs: number, done: Done): Probe {
    let probe: Probe | undefined;
    let cancelled = false;
    const begun = performance.now();
    const started = this.#launch(unit, run).then(launch => {
      if (cancelled) return;
      const environment: Record<string, string> = { ...launch.environment };
      if (unit.pid !== undefined) environment.HEARTH_PID = String(unit.pid);
      const hide = (line: string) => this.#secrets?.hide(unit.unit, line) ?? line;
      const left = Math.max(1, timeoutMs - (performance.now() - begun));
      probe = runCommand({ ...launch, environment }, left, hide, done);
    });
    started.catch(error => cancelled || done(`cannot be run: ${reason(error)}`));
    return {
      cancel() {
        cancelled = true;
        probe?.cancel();
      },
    };
  }

  async #launch({ pid: _pid, ...unit }: RunningUnit, run: NonNullable<Service['run']>): Promise<Launch> {
    const opened = await this.#open(unit);
    return await besideLaunch({ ...unit, spec: { ...unit.spec, run } }, opened, systemShell, this.#launching);
  }

  #open(unit: Unit): Promise<Opened> {
    const sealed = Object.values(unit.spec.env ?? {}).some(looksSealed);
    const secrets = this.#secrets;
    if (!secrets || !sealed) return Promise.resolve({});
    return new Promise((resolve, reject) =>
      secrets.open(unit, (error, opened) => (error === undefined ? resolve(opened) : reject(new Error(error)))),
    );
  }
}
