/**
 * The fleet as dashboards and command lines see it: the last word of every node, and what changed since. Bounded by the
 * number of nodes and of rooms, and the sizes in reports.ts.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import type { FleetChange, FleetSnapshot, NodeView, RoomView } from '../../shared/fleet-view.ts';
import type { FabricEvent, FabricInfo } from '../../shared/schemas/fabric.ts';
import type { FleetReader } from './fleet.ts';

export const viewLimits = { events: 200, changeEveryMs: 250 } as const;

type Listener = (change: FleetChange) => void;
type Pending = Record<string, Partial<NodeView> | null>;
type PendingRooms = Record<string, RoomView | null>;

const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1);

export class FleetView implements FleetReader {
  readonly #base: string;
  readonly #ver: string;
  readonly #clock: Clock;
  readonly #changed: (node: string, news: Partial<NodeView>) => void;
  readonly #nodes = new Map<string, NodeView>();
  readonly #rooms = new Map<string, RoomView>();
  readonly #events: FabricEvent[] = [];
  /** Ordinal of the next event; a listener is told of those from its own start on. */
  #eventCount = 0;
  readonly #listeners = new Map<Listener, { from: number }>();
  #seq = 0;
  #pending: Pending = {};
  #pendingRooms: PendingRooms | undefined;
  /** Nodes that were forgotten and seen again since the last change. */
  readonly #back = new Set<string>();
  #pendingEvents: { readonly ordinal: number; readonly event: FabricEvent }[] = [];
  #timer: Timer | undefined;

  /** @param changed told at once of what a node says of itself. */
  constructor(
    base: string,
    ver: string,
    clock: Clock,
    changed: (node: string, news: Partial<NodeView>) => void = () => {},
  ) {
    this.#changed = changed;
    this.#base = base;
    this.#ver = ver;
    this.#clock = clock;
  }

  snapshot(): FleetSnapshot {
    const nodes = [...this.#nodes.values()].sort(byId);
    const rooms = [...this.#rooms.values()].sort(byId);
    return { seq: this.#seq, base: this.#base, ver: this.#ver, nodes, rooms, events: [...this.#events] };
  }

  watch(listener: Listener): () => void {
    // A function of its own per call: the same listener may watch twice.
    const own: Listener = change => listener(change);
    this.#listeners.set(own, { from: this.#eventCount });
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size > 0) return;
      // What waits would be told to the next listener as news, though its snapshot may hold something newer already.
      this.#drop();
    };
  }

  get(node: string): NodeView | undefined {
    return this.#nodes.get(node);
  }

  /** Merges news of a node, which is there from then on. */
  put(node: string, news: Partial<NodeView>): void {
    const old = this.#nodes.get(node) ?? { id: node, online: false, since_ms: this.#clock.wall(), want_rev: 0 };
    const added = this.#nodes.has(node) ? news : { ...old, ...news };
    this.#nodes.set(node, { ...old, ...news });
    this.#changed(node, news);
    if (this.#listeners.size === 0) return;
    // A change says of a node that it is gone or what is new, not both: who is back since then is in the next one.
    if (this.#pending[node] === null) this.#back.add(node);
    else this.#pending[node] = { ...this.#pending[node], ...added };
    this.#arm();
  }

  remove(node: string): void {
    if (!this.#nodes.delete(node) || this.#listeners.size === 0) return;
    this.#pending[node] = null;
    this.#back.delete(node);
    this.#arm();
  }

  room(id: string): RoomView | undefined {
    return this.#rooms.get(id);
  }

  /** @param view how the room is now; undefined: it is gone. */
  putRoom(id: string, view: RoomView | undefined): void {
    if (view) this.#rooms.set(id, view);
    else if (!this.#rooms.delete(id)) return;
    if (this.#listeners.size === 0) return;
    this.#pendingRooms = { ...this.#pendingRooms, [id]: view ?? null };
    this.#arm();
  }

  addEvent(event: FabricEvent): void {
    this.#events.push(event);
    if (this.#events.length > viewLimits.events) this.#events.shift();
    const ordinal = this.#eventCount++;
    if (this.#listeners.size === 0) return;
    this.#pendingEvents.push({ ordinal, event });
    if (this.#pendingEvents.length > viewLimits.events) this.#pendingEvents.shift();
    this.#arm();
  }

  /** `<base>/info`: sums over the nodes that are online. */
  totals(jobs: { readonly queued: number; readonly running: number }): FabricInfo {
    let online = 0;
    let cores = 0;
    for (const node of this.#nodes.values()) {
      if (!node.online) continue;
      online++;
      cores += node.info?.cores ?? 0;
    }
    const { queued, running } = jobs;
    const { size: nodes } = this.#nodes;
    return { ver: this.#ver, nodes, online, cores, jobs_queued: queued, jobs_running: running };
  }

  stop(): void {
    this.#listeners.clear();
    this.#drop();
  }

  /** Nobody listens any more. */
  #drop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#pending = {};
    this.#pendingRooms = undefined;
    this.#back.clear();
    this.#pendingEvents = [];
  }

  #arm(): void {
    this.#timer ??= this.#clock.after(viewLimits.changeEveryMs, () => this.#flush());
  }

  #flush(): void {
    this.#timer = undefined;
    this.#seq++;
    const nodes = this.#pending;
    const events = this.#pendingEvents;
    const rooms = this.#pendingRooms && { rooms: this.#pendingRooms };
    this.#pending = {};
    this.#pendingRooms = undefined;
    this.#pendingEvents = [];
    for (const node of this.#back) {
      const view = this.#nodes.get(node);
      if (view) this.#pending[node] = { ...view };
    }
    if (this.#back.size > 0) this.#arm();
    this.#back.clear();
    const all = events.map(({ event }) => event);
    for (const [listener, { from }] of [...this.#listeners]) {
      const mine =
        events[0] && events[0].ordinal < from ? events.filter(e => e.ordinal >= from).map(e => e.event) : all;
      listener({ seq: this.#seq, nodes, ...rooms, events: mine });
    }
  }
}
