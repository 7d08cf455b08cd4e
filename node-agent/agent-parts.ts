/** What an agent is made of. */
import type { Verifier } from '../shared/authority.ts';
import type { Clock, Random } from '../shared/clock.ts';
import type { Link } from '../shared/link.ts';
import type { Log } from '../shared/log.ts';
import type { Hello } from '../shared/schemas/presence.ts';
import type { WakeSender } from '../shared/wake/sender.ts';
import type { AgentDisk } from './disk.ts';
import type { HeatSide } from './heat/side.ts';
import type { MachineActions } from './machine-actions.ts';
import type { ReconcilerApi } from './reconcile/reconciler.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import type { WorkSide } from './work/side.ts';

/**
 * `connecting` and `waiting` take turns while there is no broker; `left` after `do/forget`: the process may end;
 * `refused`: it never started, and the error says why.
 */
export type AgentState = 'connecting' | 'online' | 'waiting' | 'stopped' | 'left' | 'refused';

export interface AgentParts {
  readonly base: string;
  /** `--node`; absent: the id on disk, or one made from the host name. */
  readonly node?: string;
  readonly hostname?: string;
  readonly ver: string;
  readonly link: Link;
  readonly clock: Clock;
  readonly random: Random;
  readonly verifier: Verifier;
  readonly disk: AgentDisk;
  readonly reconciler: ReconcilerApi;
  readonly telemetry: Telemetry;
  readonly periodMs: number;
  readonly log: Log;
  readonly trustFirst: boolean;
  /** Apply nothing until told (`--safe`). */
  readonly safe?: boolean;
  /** What `do/reboot` and the like do to the machine; absent: nothing can be done. */
  readonly machine?: MachineActions;
  /** Sends magic packets for nodes that are asleep; absent: it does not. */
  readonly waker?: WakeSender;
  /** Its part in jobs; absent: it has none. */
  readonly work?: WorkSide;
  /** Its part in heating; absent: it has none. */
  readonly heat?: HeatSide;
  /** `--cluster`. */
  readonly cluster?: string;
  readonly onState?: (state: AgentState, error?: string) => void;
  readonly onHello?: (hello: Hello) => void;
}
