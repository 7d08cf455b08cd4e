/** What an agent asks of its part in heating. The dimmer, the burner, the filler and the watchdog are behind it. */
import type { HeatOrder } from '../../shared/schemas/heat.ts';
import type { Dimmed } from '../reconcile/host.ts';

export interface HeatHandlers {
  /** Something that `info`, `load` or `is` shows may be another. */
  changed(): void;
  /**
   * So many tasks of class `heat` may run; those above are frozen, not ended. `groups`: the cgroup folders they belong into,
   * so that their processor time is dimmed with the rest; empty where there are none.
   */
  tasks(most: number, groups: readonly string[]): void;
  /**
   * How far a service of this node may run that is the filler: 0 cores is frozen, undefined is no filler any more. Called
   * each second while heat is asked for.
   */
  service(name: string, cores: number | undefined): Dimmed;
}

/** What the machine is doing, sampled once a second while heat is asked for. */
export interface MachineNow {
  /** Cores that are busy with anything, from /proc/stat. */
  readonly busyCores: number;
  readonly tempC?: number;
}

export interface HeatSide {
  /** Looks for what an earlier agent left: a lease that still runs goes on. */
  start(handlers: HeatHandlers): void;
  /** An authentic order of this session. The lease begins with its arrival. */
  order(order: HeatOrder, done: (error?: string) => void): void;
  /** Tasks of class `heat` that run now, whether frozen or not, and wait. */
  tasksThere(running: number, waiting: number): void;
  /** Cores busy for heat alone, over the last seconds; undefined while no heat is asked for. */
  readonly cores: number | undefined;
  /** What this machine can dim with, for `caps`: `heat` and one of `heat-quota`, `heat-affinity`, `heat-stop`. */
  readonly can: readonly string[];
  /** What stands in the way, one sentence; empty where nothing does. */
  readonly error: string;
  /** The node leaves its cluster: no heat, nothing is left. */
  forget(done: () => void): void;
  /** The agent ends; the lease goes on, and the watchdog ends it. */
  close(done: () => void): void;
}
