/** Types of fleet-state.js for the tests; the page itself runs the JavaScript as it stands. */

import type { FleetChange, FleetSnapshot, NodeView, RoomView } from '../shared/fleet-view.ts';
import type { FabricEvent } from '../shared/schemas/fabric.ts';

export interface FleetState {
  readonly seq: number;
  readonly base: string;
  readonly ver: string;
  readonly nodes: ReadonlyMap<string, NodeView>;
  readonly rooms: ReadonlyMap<string, RoomView>;
  readonly events: readonly FabricEvent[];
}
export const mostEvents: number;
export const mostRooms: number;
export const emptyFleet: FleetState;
export function fromSnapshot(snapshot: FleetSnapshot): FleetState;
export function applyChange(fleet: FleetState, change: FleetChange): FleetState | undefined;
