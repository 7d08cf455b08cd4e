/**
 * The supervisor's time, as certificates and the signed answer to `GET /trust/time` go by it: its wall clock, but never
 * before what has happened for certain (the build of this program, the newest entry of the journal).
 */
export function trustedNow(wall: () => number, ...floors: readonly (() => number)[]): () => number {
  return () => Math.max(wall(), ...floors.map(floor => floor()));
}
