/** Which artifacts go when there is no room for a new one: of those nobody pinned, what was used longest ago. Pure. */

export interface Kept {
  readonly sha256: string;
  readonly size: number;
  readonly pinned: boolean;
  /** Last use, any clock. */
  readonly usedAt: number;
}

export interface Bounds {
  /** Bytes of all together. */
  readonly total: number;
  readonly count: number;
}

/**
 * @param taken bytes and number that are spoken for besides `kept`: what is being taken in, and what is to come.
 * @returns what to throw out, possibly nothing; undefined where even that makes no room.
 */
export function makeRoom(kept: readonly Kept[], taken: Bounds, bounds: Bounds): readonly string[] | undefined {
  let bytes = taken.total - bounds.total;
  let number = taken.count - bounds.count + kept.length;
  for (const { size } of kept) bytes += size;
  if (bytes <= 0 && number <= 0) return [];
  const out: string[] = [];
  const oldestFirst = kept.filter(({ pinned }) => !pinned).sort((a, b) => a.usedAt - b.usedAt);
  for (const { sha256, size } of oldestFirst) {
    out.push(sha256);
    bytes -= size;
    number -= 1;
    if (bytes <= 0 && number <= 0) return out;
  }
  return undefined;
}
