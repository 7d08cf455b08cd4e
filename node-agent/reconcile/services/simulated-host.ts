/** The {@link Host} over a {@link SimulatedMachine}: one per agent life, while the machine goes on. */
import type { Clock, Random } from '../../../shared/clock.ts';
import type { Dimmed, Host, HostHandlers, Unit } from '../host.ts';
import type { SimulatedMachine, SimulatedProcess } from './simulated-machine.ts';

export { SimulatedMachine } from './simulated-machine.ts';

export interface SimulatedHostParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly machine: SimulatedMachine;
}

export function createSimulatedHost(parts: SimulatedHostParts): Host {
  return new SimulatedHost(parts);
}

class SimulatedHost implements Host {
  readonly #clock: Clock;
  readonly #machine: SimulatedMachine;
  #handlers: HostHandlers | undefined;
  #listener: SimulatedMachine['listener'];
  #closed = false;
  readonly #followed = new Set<string>();
  /** Started, but not yet reported as such: an end that comes before waits. */
  readonly #starting = new Set<string>();
  /** Ends already reported. */
  readonly #reported = new Set<string>();

  constructor(parts: SimulatedHostParts) {
    this.#clock = parts.clock;
    this.#machine = parts.machine;
  }

  adopt(handlers: HostHandlers, done: Parameters<Host['adopt']>[1]): void {
    this.#handlers = handlers;
    this.#listener = {
      exited: unit => this.#later(0, () => this.#report(unit)),
      output: (unit, line) => {
        if (this.#followed.has(unit)) this.#later(0, () => handlers.output(unit, [line]));
      },
    };
    this.#machine.listener = this.#listener;
    this.#later(this.#machine.delay(), () => {
      const found = [...this.#machine.processes.values()];
      for (const process of found) if (!process.running) this.#reported.add(process.unit);
      done(
        found.map(({ unit, service, spec, restarts, marks, pid, started_ms, running, exit }) => ({
          unit,
          service,
          spec,
          started_ms,
          ...(restarts === undefined ? {} : { restarts }),
          ...(marks === undefined ? {} : { marks }),
          ...(running ? { pid } : { exit: exit ?? { unknown: 'nobody saw how it ended' } }),
        })),
      );
    });
  }

  start(unit: Unit, done: (error?: string, pid?: number) => void): void {
    if (this.#closed) return;
    const machine = this.#machine;
    if (machine.chance(machine.faults.startFails)) {
      this.#later(machine.delay(), () => done('simulated: the start failed'));
      return;
    }
    this.#starting.add(unit.unit);
    const { pid } = machine.start(unit);
    this.#later(machine.delay(), () => {
      this.#starting.delete(unit.unit);
      done(undefined, pid);
      this.#report(unit.unit);
    });
  }

  stop(unit: string, signal: string, graceMs: number, done: (error?: string) => void): void {
    if (this.#closed) return;
    const machine = this.#machine;
    const process = machine.processes.get(unit);
    if (process && machine.chance(machine.faults.stopFails)) {
      this.#later(machine.delay(), () => done(`simulated: process ${process.pid} did not end after KILL`));
      return;
    }
    const over = (with_: string) => {
      if (process) this.#endAll(process, with_);
      this.#report(unit);
      done();
    };
    const stubborn = process?.running === true && process.ignored.has(signal);
    if (!stubborn) this.#later(machine.delay(), () => over(signal));
    else this.#later(graceMs + machine.delay(), () => over('KILL'));
  }

  /** Its processes use nothing, so any limits hold. */
  adjust(_unit: string, _spec: Unit['spec'], done: () => void): void {
    this.#later(0, done);
  }

  dim(_unit: string, _cores: number | undefined): Dimmed {
    return {};
  }

  note(_unit: string): string | undefined {
    return undefined;
  }

  discard(unit: string): void {
    const process = this.#machine.processes.get(unit);
    if (process?.running || process?.escaped) return;
    this.#machine.processes.delete(unit);
    this.#followed.delete(unit);
    this.#reported.delete(unit);
  }

  tail(unit: string, lines: number): readonly string[] {
    return lines > 0 ? (this.#machine.processes.get(unit)?.output.slice(-lines) ?? []) : [];
  }

  follow(unit: string, on: boolean, fromStart = false): void {
    if (!on) {
      this.#followed.delete(unit);
      return;
    }
    this.#followed.add(unit);
    const lines = fromStart ? this.tail(unit, 100) : [];
    if (lines.length === 0) return;
    this.#later(0, () => {
      if (this.#followed.has(unit)) this.#handlers?.output(unit, lines);
    });
  }

  close(): void {
    this.#closed = true;
    // The next agent's host may be listening already.
    if (this.#machine.listener === this.#listener) this.#machine.listener = undefined;
    this.#handlers = undefined;
  }

  /** An agent that is gone hears and does nothing more. */
  #later(ms: number, run: () => void): void {
    this.#clock.after(ms, () => {
      if (!this.#closed) run();
    });
  }

  #report(unit: string): void {
    const process = this.#machine.processes.get(unit);
    if (!process?.exit || this.#starting.has(unit) || this.#reported.has(unit)) return;
    this.#reported.add(unit);
    this.#handlers?.exited(unit, process.exit);
  }

  #endAll(process: SimulatedProcess, signal: string): void {
    process.escaped = false;
    this.#machine.kill(process.unit, { signal });
  }
}
