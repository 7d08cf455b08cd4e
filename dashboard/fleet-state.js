// The page's copy of the fleet: one snapshot, then changes. Pure: no DOM, no clock, no network.

/** Events kept, newest last. */
export const mostEvents = 200;
/** Rooms on the page; the supervisor keeps no more. */
export const mostRooms = 64;

export const emptyFleet = Object.freeze({
  seq: -1,
  base: 'hearth',
  ver: '',
  nodes: new Map(),
  rooms: new Map(),
  events: [],
});

/** The whole fleet anew. */
export function fromSnapshot(snapshot) {
  const nodes = new Map(snapshot.nodes.map(node => [node.id, node]));
  const rooms = new Map(snapshot.rooms.slice(0, mostRooms).map(room => [room.id, room]));
  const { seq, base, ver } = snapshot;
  return { seq, base, ver, nodes, rooms, events: snapshot.events.slice(-mostEvents) };
}

/**
 * The fleet after one change. A change already held changes nothing; one that does not follow directly means that
 * something was missed: `undefined`, and the caller asks for a new snapshot. The given fleet is used up: its maps
 * are carried on, not copied, so that a change costs what it touches and not what the fleet is.
 */
export function applyChange(fleet, change) {
  if (change.seq <= fleet.seq) return fleet;
  if (change.seq !== fleet.seq + 1) return undefined;
  for (const [id, part] of Object.entries(change.nodes)) {
    if (part === null) fleet.nodes.delete(id);
    else fleet.nodes.set(id, { id, online: false, since_ms: 0, want_rev: 0, ...fleet.nodes.get(id), ...part });
  }
  for (const [id, room] of Object.entries(change.rooms ?? {})) {
    if (room === null) fleet.rooms.delete(id);
    else if (fleet.rooms.has(id) || fleet.rooms.size < mostRooms) fleet.rooms.set(id, room);
  }
  const events = change.events.length > 0 ? [...fleet.events, ...change.events].slice(-mostEvents) : fleet.events;
  return { ...fleet, seq: change.seq, events };
}
