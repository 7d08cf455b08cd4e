/** What each room may give of one fuse: all that the machines draw counts; heat by priority, among equals in proportion. Pure. */

export interface RoomClaim {
  readonly room: string;
  readonly priority: number;
  /** Heat that it could give now and is asked for, and what its running machines give at least. */
  readonly claimW: number;
}

export interface Grants {
  /** Heat by room, W. */
  readonly grants: ReadonlyMap<string, number>;
  /** What nobody claimed; Infinity without a fuse. */
  readonly leftW: number;
}

/**
 * @param anywayW what all machines draw with no heat asked of them
 * @param fuseW undefined: no fuse
 */
export function grantsOf(claims: readonly RoomClaim[], anywayW: number, fuseW: number | undefined): Grants {
  const grants = new Map<string, number>();
  let left = fuseW === undefined ? Number.POSITIVE_INFINITY : Math.max(0, fuseW - anywayW);
  const priorities = [...new Set(claims.map(claim => claim.priority))].sort((a, b) => b - a);
  for (const priority of priorities) {
    const equals = claims.filter(claim => claim.priority === priority);
    const all = equals.reduce((sum, claim) => sum + claim.claimW, 0);
    const part = all > left ? left / all : 1;
    for (const { room, claimW } of equals) grants.set(room, claimW * part);
    left = Math.max(0, left - all);
  }
  return { grants, leftW: left };
}
