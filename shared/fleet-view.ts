/**
 * What a dashboard or a command line sees of the fleet: one snapshot, then changes in order. A change names only what
 * is new; `null` for a node or a room means that it was forgotten. Applying every change to the snapshot gives the present.
 */
import type { FabricEvent } from './schemas/fabric.ts';
import type { Is, ItemStatus } from './schemas/observed.ts';
import type { PresetName, RoomIs } from './schemas/room.ts';
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
  /** Its part in heating, where that is known. */
  readonly heat?: NodeHeatView;
}

export interface NodeHeatView {
  /** Of its label. */
  readonly room?: string | undefined;
  /** What it draws, and its part in what its room was given, W. */
  readonly watts: number;
  readonly heat_w: number;
}

export interface RoomView {
  readonly id: string;
  /** For people. */
  readonly name?: string | undefined;
  /** It has a thermometer that can be relied on and a node that heats it. */
  readonly online: boolean;
  /** What targets and presets may be, °C. */
  readonly min_c: number;
  readonly max_c: number;
  readonly presets: Readonly<Record<Exclude<PresetName, 'none'>, number>>;
  /** How it is, and when that was said, epoch ms; absent until it was looked at. */
  readonly is?: RoomIs | undefined;
  readonly is_at_ms?: number | undefined;
  /** Revision of the document that {@link is} goes by: 0 until it was looked at. */
  readonly is_rev: number;
}

export interface FleetSnapshot {
  /** Rises by one with every change. */
  readonly seq: number;
  readonly base: string;
  readonly ver: string;
  readonly nodes: readonly NodeView[];
  readonly rooms: readonly RoomView[];
  /** The newest last, bounded. */
  readonly events: readonly FabricEvent[];
}

export interface FleetChange {
  readonly seq: number;
  /** Only the keys that changed since the last change, per node. */
  readonly nodes: Readonly<Record<string, Partial<NodeView> | null>>;
  /** Rooms that changed, each whole; absent where none did. */
  readonly rooms?: Readonly<Record<string, RoomView | null>>;
  readonly events: readonly FabricEvent[];
}
