/** The read side of the fleet, for the dashboard and the metrics: one snapshot, then changes. */
import type { FleetChange, FleetSnapshot, NodeView, RoomView } from '../../shared/fleet-view.ts';

export interface FleetReader {
  snapshot(): FleetSnapshot;
  /** What is known of one node: it has a document, or was seen. */
  get(node: string): Readonly<NodeView> | undefined;
  room(id: string): RoomView | undefined;
  /** Changes after the snapshot's `seq`, coalesced to at most four a second. Returns the way to stop. */
  watch(listener: (change: FleetChange) => void): () => void;
}
