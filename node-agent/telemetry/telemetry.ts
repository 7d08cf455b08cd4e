/** The telemetry seam: what a machine measures about itself. Real from /proc; synthetic for simulated nodes. */
import type { Info, Load } from '../../shared/schemas/telemetry.ts';

/** A `load` without what the session adds. A sensor that does not exist has no key. */
export type LoadSample = Omit<Load, 'node' | 'epoch' | 'seq' | 'jobs'>;

export interface Telemetry {
  /** Measures since the last call. No child process, no blocking call worth a millisecond. */
  sample(): { readonly load: LoadSample; readonly cores?: readonly number[] };
  /** Reads the thermometers of the surroundings, °C by name; `done` later, or never where one hangs. Absent: it has none. */
  surroundings?(done: (sensed: Readonly<Record<string, number>>) => void): void;
  /** Facts that do not change while the agent runs; gathered once, may take a second. */
  facts(done: (facts: Omit<Info, 'node' | 'ver'>) => void): void;
}
