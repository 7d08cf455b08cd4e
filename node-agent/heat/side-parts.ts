/** What the heat of a real machine is made of; the rest of it is found out. */
import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { BootClock } from './boot-clock.ts';
import type { HeatGroups } from './groups.ts';
import type { MachineNow } from './side.ts';

export interface NodeHeatParts {
  /** Its own, made with the first order. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The machine's cores. */
  readonly cores: number;
  readonly bootClock: BootClock;
  readonly groups: HeatGroups;
  /** Since the last call; undefined the first time. */
  machine(): MachineNow | undefined;
  /** A POSIX shell; the system's where absent. */
  readonly shell?: string;
  /** Folders with programs, as in PATH. */
  readonly path: string;
}
