/** Medians and percentiles, and what a target says about them. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}

export function median(values: readonly number[]): number {
  const sorted = values.filter(value => !Number.isNaN(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  const middle = sorted.length >> 1;
  const high = sorted[middle] as number;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] as number) + high) / 2;
}

/** `reached`, or by how much it was missed. A target is the most that is allowed. */
export function verdict(value: number | undefined, atMost: number): string {
  if (value === undefined || Number.isNaN(value)) return 'not measured';
  if (value <= atMost) return 'reached';
  if (atMost === 0) return `missed by ${Number(value.toPrecision(3))}`;
  if (value / atMost >= 3) return `missed by a factor of ${Number((value / atMost).toPrecision(3))}`;
  return `missed by ${Math.ceil((value / atMost - 1) * 100)} %`;
}
