/** Gets results of darts, or sums of them, and gives back their sum: so it does not matter how they are grouped. */
export default function piSum(parts) {
  const sum = { darts: 0, hits: 0 };
  for (const { darts, hits } of parts) {
    sum.darts += darts;
    sum.hits += hits;
  }
  return sum;
}
