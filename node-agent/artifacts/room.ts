/** Which copies of the cache go for a new one: of those nobody holds, what was used longest ago. Pure. */

export interface Kept {
  readonly name: string;
  readonly bytes: number;
  /** Somebody reads it now. */
  readonly held: boolean;
  /** Last use, any clock. */
  readonly usedAt: number;
}

/** All in bytes. */
export interface Space {
  /** What the cache may have in all. */
  readonly most: number;
  /** Free on the disk now. */
  readonly free: number;
  /** Of these, never taken. */
  readonly keepFree: number;
  /** Spoken for by what is being fetched, and how much of that is on the disk already. */
  readonly coming: number;
  readonly arrived: number;
}

/** @returns what to remove, possibly nothing; undefined where even that makes no room. */
export function roomFor(kept: readonly Kept[], space: Space): readonly string[] | undefined {
  const { most, free, keepFree, coming, arrived } = space;
  const all = kept.reduce((sum, { bytes }) => sum + bytes, 0);
  // Both rules at once: the cache's own bound, and what the disk must keep.
  let over = Math.max(all + coming - most, keepFree + coming - arrived - free);
  if (over <= 0) return [];
  const out: string[] = [];
  for (const { name, bytes } of kept.filter(({ held }) => !held).sort((a, b) => a.usedAt - b.usedAt)) {
    if (bytes === 0) continue;
    out.push(name);
    over -= bytes;
    if (over <= 0) return out;
  }
  return undefined;
}

const mostBytes = 2 * 1024 ** 3;

/** What a cache may have where nobody says: 2 GB, or a tenth of a smaller disk. */
export const usualBound = (diskBytes: number): number => Math.min(mostBytes, Math.floor(diskBytes / 10));

/** What is left free for the rest of the machine: 256 MB, or a twentieth of a smaller disk. */
export const usualReserve = (diskBytes: number): number => Math.min(256 * 1024 ** 2, Math.floor(diskBytes / 20));
