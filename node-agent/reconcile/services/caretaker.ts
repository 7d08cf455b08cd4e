/**
 * The seam to what an agent does for a unit while it runs: see whether it is well, have it read its files anew, and keep
 * what it was started with. Real (real-caretaker.ts), and simulated.
 */
import type { Service } from '../../../shared/schemas/service.ts';
import type { Health } from '../../../shared/schemas/service-life.ts';
import type { Unit } from '../host.ts';

export interface RunningUnit extends Unit {
  readonly pid?: number;
}

export interface Caretaker {
  /**
   * One check of the kinds command, http and tcp. `done` once, never from inside the call and not when cancelled:
   * nothing, or one sentence without secrets. It ends with the check's timeout, and whatever it started with it.
   */
  check(unit: RunningUnit, health: Health, done: (error?: string) => void): { cancel(): void };
  /** Sends the signal to the unit's main process, or runs the command. `done` as above. */
  reload(unit: RunningUnit, how: NonNullable<Service['reload']>, done: (error?: string) => void): void;
  /** Keeps the unit's marks for the agent that adopts it. */
  remember(unit: Unit): void;
  close(): void;
}
