/**
 * A machine in memory for the simulator, demos and tests: its processes outlive the agent that started them and die with
 * `boot`. A service's command is read in a tiny subset of sh (see {@link readProgram}); everything else runs until stopped.
 */
import type { Clock, Random, Timer } from '../../../shared/clock.ts';
import type { Service } from '../../../shared/schemas/service.ts';
import type { Unit, UnitExit } from '../host.ts';

/** What a simulated command does, one after the other. */
export type Instruction =
  | { readonly do: 'echo'; readonly text: string }
  | { readonly do: 'sleep'; readonly ms: number }
  | { readonly do: 'ignore'; readonly signal: string }
  /** A process of its own session that lives on when the main one ends. */
  | { readonly do: 'escape' }
  | { readonly do: 'end'; readonly exit: UnitExit };

/** Understands `echo TEXT`, `sleep SECONDS`, `trap '' SIGNAL`, `setsid … &`, `exit N`, `kill -SIGNAL $$`, joined by `;`. */
export function readProgram(run: NonNullable<Service['run']>): Instruction[] {
  const text = typeof run === 'string' ? run : run.join(' ');
  const program: Instruction[] = [];
  for (const part of text.split(/;|&(?=\s)/)) {
    const command = part.trim().replace(/^exec /, '');
    const match =
      /^echo (.*)$/.exec(command) ??
      /^sleep ([\d.]+)$/.exec(command) ??
      /^(trap '') (\w+)$/.exec(command) ??
      /^(setsid) /.exec(command) ??
      /^exit (\d+)$/.exec(command) ??
      /^(kill) -(\w+) \$\$$/.exec(command);
    if (command === '') continue;
    if (!match) return [...program, { do: 'sleep', ms: Number.POSITIVE_INFINITY }];
    const [first = '', second = ''] = match.slice(1);
    if (command.startsWith('echo')) program.push({ do: 'echo', text: first });
    else if (command.startsWith('sleep')) program.push({ do: 'sleep', ms: Number(first) * 1000 });
    else if (first === "trap ''") program.push({ do: 'ignore', signal: second });
    else if (first === 'setsid') program.push({ do: 'escape' });
    else if (first === 'kill') program.push({ do: 'end', exit: { signal: second } });
    else program.push({ do: 'end', exit: { code: Number(first) } });
  }
  return [...program, { do: 'end', exit: { code: 0 } }];
}

/** Faults of a machine; probabilities from 0 to 1. All zero at first. */
export interface MachineFaults {
  /** A start fails before there is a process. */
  startFails: number;
  /** A stop reports failure and leaves the process. */
  stopFails: number;
  /** Longest time until a start or a stop is reported, milliseconds; the real time is uniform below. */
  delayMs: number;
}

export interface SimulatedProcess extends Unit {
  readonly pid: number;
  readonly started_ms: number;
  readonly output: string[];
  readonly ignored: Set<string>;
  /** The main process is there. */
  running: boolean;
  /** Further processes of the unit are there. */
  escaped: boolean;
  exit?: UnitExit;
  timer?: Timer;
}

/** Lines kept of one unit's output. */
const keptLines = 100;

export class SimulatedMachine {
  readonly faults: MachineFaults = { startFails: 0, stopFails: 0, delayMs: 0 };
  readonly processes = new Map<string, SimulatedProcess>();
  /** Told of ends and output; the host that is connected at the moment. */
  listener: { exited(unit: string, exit: UnitExit): void; output(unit: string, line: string): void } | undefined;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #twins = new Set<string>();
  #nextPid = 100;

  constructor(parts: { clock: Clock; random: Random }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
  }

  /** Services that ever had two units with a process at the same moment. */
  twins(): readonly string[] {
    return [...this.#twins].sort();
  }

  /** Units with at least one process, by service. */
  alive(): ReadonlyMap<string, readonly string[]> {
    const services = new Map<string, string[]>();
    for (const process of this.processes.values()) {
      if (!process.running && !process.escaped) continue;
      services.set(process.service, [...(services.get(process.service) ?? []), process.unit]);
    }
    return services;
  }

  chance(probability: number): boolean {
    return probability > 0 && this.#random.next() < probability;
  }

  /** A delay of a start or stop, milliseconds. */
  delay(): number {
    return this.faults.delayMs > 0 ? this.#random.next() * this.faults.delayMs : 0;
  }

  start(unit: Unit): SimulatedProcess {
    const others = this.alive().get(unit.service) ?? [];
    if (others.length > 0) this.#twins.add(unit.service);
    const process: SimulatedProcess = {
      ...unit,
      pid: this.#nextPid++,
      started_ms: this.#clock.wall(),
      output: [],
      ignored: new Set(),
      running: true,
      escaped: false,
    };
    this.processes.set(unit.unit, process);
    this.#run(process, readProgram(unit.spec.run ?? 'the command of its image'));
    return process;
  }

  /** Ends a main process, as anybody on the machine might. */
  kill(unit: string, exit: UnitExit): void {
    const process = this.processes.get(unit);
    if (process?.running) this.#end(process, exit);
  }

  /** Every process is gone at once and nobody saw how. */
  boot(): void {
    this.listener = undefined;
    for (const process of this.processes.values()) {
      process.timer?.cancel();
      process.escaped = false;
      if (!process.running) continue;
      process.running = false;
      process.exit = { unknown: 'the machine was restarted while it ran' };
    }
  }

  #run(process: SimulatedProcess, program: readonly Instruction[]): void {
    for (const [index, instruction] of program.entries()) {
      if (!process.running) return;
      switch (instruction.do) {
        case 'echo':
          process.output.push(instruction.text);
          if (process.output.length > keptLines) process.output.shift();
          this.listener?.output(process.unit, instruction.text);
          break;
        case 'ignore':
          process.ignored.add(instruction.signal);
          break;
        case 'escape':
          process.escaped = true;
          break;
        case 'sleep':
          if (instruction.ms === Number.POSITIVE_INFINITY) return;
          process.timer = this.#clock.after(instruction.ms, () => this.#run(process, program.slice(index + 1)));
          return;
        case 'end': {
          // A process is seen to end after it was seen to start.
          const { exit } = instruction;
          process.timer = this.#clock.after(0, () => this.#end(process, exit));
          return;
        }
      }
    }
  }

  #end(process: SimulatedProcess, exit: UnitExit): void {
    process.timer?.cancel();
    delete process.timer;
    process.running = false;
    process.exit = exit;
    this.listener?.exited(process.unit, exit);
  }
}
