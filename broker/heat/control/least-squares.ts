/**
 * Recursive least squares with exponential forgetting (Åström & Wittenmark, Adaptive Control, 2nd ed., section 2.2), on
 * few parameters. The covariance is bounded, so that a long time without anything new does not make it explode.
 */
export interface Fit {
  /** The parameters. */
  readonly theta: readonly number[];
  /** Covariance, row by row. */
  readonly p: readonly number[];
}

const mostP = 1e4;

/** `sureness` per parameter: small where the start is trusted. */
export function freshFit(theta: readonly number[], spread: readonly number[]): Fit {
  const n = theta.length;
  const p = new Array<number>(n * n).fill(0);
  for (let i = 0; i < n; i++) p[i * n + i] = (spread[i] as number) ** 2;
  return { theta, p };
}

export const predicted = (fit: Fit, x: readonly number[]): number =>
  fit.theta.reduce((sum, value, i) => sum + value * (x[i] as number), 0);

/** One observation `y = theta · x`; `noise` is the variance of y that is not of interest. What gives no finite result is left out. */
export function fitted(fit: Fit, x: readonly number[], y: number, forget: number, noise: number): Fit {
  const n = fit.theta.length;
  const px = new Array<number>(n).fill(0);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) px[i] = (px[i] as number) + at(fit.p, i * n + j) * at(x, j);
  const scale = forget * noise + x.reduce((sum, value, i) => sum + value * at(px, i), 0);
  const error = y - predicted(fit, x);
  if (!(scale > 0) || !Number.isFinite(error / scale)) return fit;
  const theta = fit.theta.map((value, i) => value + (at(px, i) * error) / scale);
  const p = fit.p.map((value, ij) => {
    const i = Math.floor(ij / n);
    const next = (value - (at(px, i) * at(px, ij % n)) / scale) / forget;
    return Math.max(-mostP, Math.min(mostP, next));
  });
  return theta.every(Number.isFinite) && p.every(Number.isFinite) ? { theta, p } : fit;
}

const at = (list: readonly number[], i: number): number => list[i] as number;
