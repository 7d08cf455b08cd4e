/**
 * What a dashboard or a command line sees of the fleet: one snapshot, then changes in order. A change names only what
 * is new; `null` for a node means that it was forgotten. Applying every change to the snapshot gives the present.
 */
import type { FabricEvent } from './schemas/fabric.ts';
import type { Is, ItemStatus } from './schemas/observed.ts';
import type { Info, Load } from './schemas/telemetry.ts';

export interface NodeView {
  readonly id: string;
  readonly online: boolean;
  /** Epoch milliseconds of the last change of `online`. */
  readonly since_ms: number;
  readonly info?: Info;
  readonly load?: Load;
  /** Busy share per core. */
  readonly cores?: readonly number[];
  readonly is?: Omit<Is, 'items'> & { readonly items: Readonly<Record<string, ItemStatus>> };
  /** Revision of the node's `want`; converged when it equals `is.rev` and `is.err` is empty. */
  readonly want_rev: number;
}

export interface FleetSnapshot {
  /** Rises by one with every change. */
  readonly seq: number;
  readonly base: string;
  readonly ver: string;
  readonly nodes: readonly NodeView[];
  /** The newest last, bounded. */
  readonly events: readonly FabricEvent[];
}

export interface FleetChange {
  readonly seq: number;
  /** Only the keys that changed since the last change, per node. */
  readonly nodes: Readonly<Record<string, Partial<NodeView> | null>>;
  readonly events: readonly FabricEvent[];
}
