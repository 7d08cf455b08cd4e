/**
 * What there is in each room, put together once: a house of many rooms asks each of its own machines only. In the order in
 * which they came; without those that are in none.
 */
export function byRoom<T>(all: Iterable<T>, roomOf: (one: T) => string | undefined): ReadonlyMap<string, readonly T[]> {
  const rooms = new Map<string, T[]>();
  for (const one of all) {
    const room = roomOf(one);
    if (room === undefined) continue;
    const there = rooms.get(room);
    if (there) there.push(one);
    else rooms.set(room, [one]);
  }
  return rooms;
}
