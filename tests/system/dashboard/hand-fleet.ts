/** A fleet driven by hand: what a test says is what the dashboard's server reads. */
import type { FleetReader } from '../../../broker/fleet/fleet.ts';
import type { FleetChange, FleetSnapshot, NodeView, RoomView } from '../../../shared/fleet-view.ts';
import type { FabricEvent } from '../../../shared/schemas/fabric.ts';

export interface HandFleet extends FleetReader {
  change(nodes: Readonly<Record<string, Partial<NodeView> | null>>, events?: readonly FabricEvent[]): void;
  room(id: string): RoomView | undefined;
  /** undefined: it is gone. */
  putRoom(id: string, view: RoomView | undefined): void;
  /** Loses one change: the next comes with a gap before it. */
  skip(): void;
  /** How many listeners there are now. */
  readonly watchers: number;
}

export function handFleet(first: readonly NodeView[] = [], seq = 0): HandFleet {
  const nodes = new Map(first.map(node => [node.id, node]));
  const rooms = new Map<string, RoomView>();
  const listeners = new Set<(change: FleetChange) => void>();
  let events: FabricEvent[] = [];
  return {
    get watchers() {
      return listeners.size;
    },
    snapshot: (): FleetSnapshot => ({
      seq,
      base: 'hearth',
      ver: '0.1.0',
      nodes: [...nodes.values()],
      rooms: [...rooms.values()],
      events,
    }),
    get: id => nodes.get(id),
    room: id => rooms.get(id),
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    skip() {
      seq += 1;
    },
    putRoom(id, view) {
      seq += 1;
      if (view) rooms.set(id, view);
      else rooms.delete(id);
      for (const listener of listeners) listener({ seq, nodes: {}, rooms: { [id]: view ?? null }, events: [] });
    },
    change(parts, news = []) {
      seq += 1;
      for (const [id, part] of Object.entries(parts)) {
        if (part === null) nodes.delete(id);
        else nodes.set(id, { id, online: false, since_ms: 0, want_rev: 0, ...nodes.get(id), ...part });
      }
      events = [...events, ...news].slice(-200);
      for (const listener of listeners) listener({ seq, nodes: parts, events: news });
    },
  };
}
