/** Readings of one thing that should not change, as one number: outliers left out. Pure. */

export const meanOf = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[at] ?? 0) : ((sorted[at - 1] ?? 0) + (sorted[at] ?? 0)) / 2;
}

/** Of the median's deviation: a normal distribution's standard deviation is 1.4826 of these. */
const toDeviation = 1.4826;
/** So many of them away is no reading of the same thing (Iglewicz and Hoaglin, How to detect and handle outliers, 1993). */
const outlier = 3.5;

/** The median, how far readings lie from it, and those that are no outliers. */
export function robust(values: readonly number[]): {
  readonly median: number;
  readonly spread: number;
  readonly kept: readonly number[];
} {
  const median = medianOf(values);
  const spread = toDeviation * medianOf(values.map(value => Math.abs(value - median)));
  // Readings that are all but one the same: a tenth of a percent is no deviation.
  const most = outlier * Math.max(spread, 0.001 * Math.abs(median), 1e-9);
  return { median, spread, kept: values.filter(value => Math.abs(value - median) <= most) };
}
