/**
 * Throws darts at a square and counts those that hit the circle in it.
 * @param {string} seed the task's value; the same seed gives the same darts
 * @param {{ common: { darts: number } }} ctx
 */
export default function piDarts(seed, { common: { darts } }) {
  const next = randomFrom(Number(seed));
  let hits = 0;
  for (let i = 0; i < darts; i++) {
    const [x, y] = [next(), next()];
    if (x * x + y * y < 1) hits++;
  }
  return { darts, hits };
}

/** mulberry32: small, quick, and good enough for darts. */
function randomFrom(seed) {
  let state = Math.imul(seed + 1, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
