/** The read side of the fleet, for the dashboard and the metrics: one snapshot, then changes. */
import type { FleetChange, FleetSnapshot } from '../../shared/fleet-view.ts';

export interface FleetReader {
  snapshot(): FleetSnapshot;
  /** Changes after the snapshot's `seq`, coalesced to at most four a second. Returns the way to stop. */
  watch(listener: (change: FleetChange) => void): () => void;
}
