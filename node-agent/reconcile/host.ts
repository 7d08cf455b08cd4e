/**
 * The Host seam, services part: what an agent does to its machine to run processes. The real one starts a POSIX sh shim
 * per run and survives the agent; the simulated one keeps processes in memory. One conformance suite runs against both.
 */
import type { Service } from '../../shared/schemas/service.ts';

/** One run of a service: started once, ends once. A restart is a new unit. */
export interface Unit {
  /** 32 hex characters; in the environment of every process of the unit as `HEARTH_UNIT`. */
  readonly unit: string;
  readonly service: string;
  readonly spec: Service;
  /** Starts of the service before this one, so that an agent that adopts the unit goes on counting. Absent: none. */
  readonly restarts?: number;
  /** Path of a package or file that the service needs -> which one it was started with, or reloaded since. */
  readonly marks?: Readonly<Record<string, string>>;
}

/** How a unit ended. Neither code nor signal: nobody saw it, and `unknown` says why. */
export interface UnitExit {
  readonly code?: number;
  /** Name without `SIG`, such as `KILL`. */
  readonly signal?: string;
  readonly unknown?: string;
  /** Says more than code and signal do: `killed: it used more than its 200 MB`. */
  readonly why?: string;
}

/** A unit that an earlier agent left on this machine. */
export interface FoundUnit extends Unit {
  readonly pid?: number;
  /** Epoch milliseconds of its start. */
  readonly started_ms: number;
  /** Absent: still running, and its end will be reported like that of any other unit. */
  readonly exit?: UnitExit;
}

/** A unit that is dimmed, as far as the machine can tell. */
export interface Dimmed {
  /** Processor time that it used so far, ms; undefined where nobody counts. */
  readonly usedMs?: number;
  /** What freezes it without this agent: a file and what to write into it, or processes by number and start time. */
  readonly freezing?: { readonly path: string; readonly text: string };
  readonly processes?: readonly { readonly pid: number; readonly start: number }[];
}

export interface HostHandlers {
  /** The unit's main process has ended. Reported exactly once per unit that was started or found running. */
  exited(unit: string, exit: UnitExit): void;
  /** New output of a followed unit, whole lines. */
  output(unit: string, lines: readonly string[]): void;
}

export interface Host {
  /** Called once, first; no handler is ever called from inside one of the calls below. Finds what an earlier agent left running or finished, and adopts it. */
  adopt(handlers: HostHandlers, done: (found: readonly FoundUnit[]) => void): void;
  /** `done` when the main process exists, or with one sentence why not (nothing is left behind then). */
  start(unit: Unit, done: (error: string | undefined, pid?: number) => void): void;
  /**
   * Ends every process of the unit, `setsid` ones too, and nothing else: `signal`, up to `graceMs` for them to end,
   * then KILL until nobody is left. `exited` is reported before `done` where the main process was still running.
   */
  stop(unit: string, signal: string, graceMs: number, done: (error?: string) => void): void;
  /**
   * Gives a unit what of a changed description needs no other process: its limits and how much output is kept. `done`
   * once, when {@link note} is as it stays.
   */
  adjust(unit: string, spec: Service, done: () => void): void;
  /** What of its description the machine does not enforce, and why, as one sentence; undefined for nothing. */
  note(unit: string): string | undefined;
  /**
   * So many cores are for this unit until told otherwise: 0 freezes it, undefined lifts that. Its own limits hold beside.
   * Whoever stops it thaws it.
   */
  dim(unit: string, cores: number | undefined): Dimmed;
  /** Forgets an ended unit: its folder and its output. */
  discard(unit: string): void;
  /** The last lines of a unit's output, at most `lines`, oldest first. */
  tail(unit: string, lines: number): readonly string[];
  /**
   * Starts or ends `output` reports for a unit: what is written from now on, or with `fromStart` all it wrote so far too.
   * The last lines of a followed unit are reported before its `exited`.
   */
  follow(unit: string, on: boolean, fromStart?: boolean): void;
  /** Lets go of everything and leaves the processes running. */
  close(): void;
}
