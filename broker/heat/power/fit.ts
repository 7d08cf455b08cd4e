/**
 * A model through measured points. `idle + range * share ** exponent` is linear in idle and range once the exponent is known, so
 * these two come from linear least squares and the exponent from a search over one variable: separable least squares (Golub and
 * Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems whose variables separate, 1973). Pure.
 */
import type { PowerModel } from '../types.ts';
import { wattsOf } from './model.ts';

export interface Point {
  /** Busy share of all cores, 0..1. */
  readonly share: number;
  readonly watts: number;
  /** Default 1. */
  readonly weight?: number;
}

export interface Fit {
  readonly idleW: number;
  readonly peakW: number;
  readonly exponent: number;
  readonly curve?: PowerModel['curve'];
  /** Root mean square of what is left, as a share of the watts. */
  readonly residual: number;
}

const exponents = { from: 0.3, to: 2 } as const;
/** With more left than this the points themselves are the better model. */
const followsPower = 0.02;
const golden = (Math.sqrt(5) - 1) / 2;

/** Line through `(x, y)` by weighted least squares; undefined where all x are one. */
export function lineOf(points: readonly (readonly [x: number, y: number, weight: number])[]) {
  let [n, sx, sy, sxx, sxy] = [0, 0, 0, 0, 0];
  for (const [x, y, weight] of points) {
    n += weight;
    sx += weight * x;
    sy += weight * y;
    sxx += weight * x * x;
    sxy += weight * x * y;
  }
  const spread = n * sxx - sx * sx;
  if (!(spread > 1e-9 * n * n)) return undefined;
  const slope = (n * sxy - sx * sy) / spread;
  return { base: (sy - slope * sx) / n, slope };
}

/** Errors count as shares of the watts: a tenth too much is as wrong for a Raspberry Pi as for a server. */
const weightOf = ({ watts, weight = 1 }: Point) => weight / Math.max(1, watts) ** 2;

function residualOf(points: readonly Point[], shape: Omit<PowerModel, 'source' | 'err'>): number {
  const model: PowerModel = { ...shape, source: 'learned', err: 0 };
  let [sum, all] = [0, 0];
  for (const point of points) {
    const weight = point.weight ?? 1;
    sum += weight * ((wattsOf(model, point.share) - point.watts) / Math.max(1, point.watts)) ** 2;
    all += weight;
  }
  return all > 0 ? Math.sqrt(sum / all) : 1;
}

function powerOf(points: readonly Point[]): Fit | undefined {
  const at = (exponent: number) => {
    const line = lineOf(points.map(point => [point.share ** exponent, point.watts, weightOf(point)]));
    if (!line) return undefined;
    const shape = { idleW: Math.max(0, line.base), peakW: Math.max(0, line.base + line.slope), exponent };
    return shape.peakW < shape.idleW ? undefined : { ...shape, residual: residualOf(points, shape) };
  };
  // The residual has one valley for points that rise; golden section finds it to a thousandth.
  let [from, to] = [exponents.from, exponents.to] as [number, number];
  for (let i = 0; i < 20; i++) {
    const [a, b] = [to - golden * (to - from), from + golden * (to - from)];
    if ((at(a)?.residual ?? Number.POSITIVE_INFINITY) <= (at(b)?.residual ?? Number.POSITIVE_INFINITY)) to = b;
    else from = a;
  }
  return at((from + to) / 2);
}

/**
 * Points as they are: idle is where the first two lead to, or lower bound of the first; between them straight lines; never
 * falling, since a level that draws less than a lower one is noise (pool adjacent violators).
 */
function curveOf(points: readonly Point[]): Fit | undefined {
  const pools: { share: number; watts: number; weight: number }[] = [];
  for (const { share, watts, weight = 1 } of points.toSorted((a, b) => a.share - b.share)) {
    let pool = { share, watts, weight };
    for (let last = pools.at(-1); last && last.watts >= pool.watts; last = pools.at(-1)) {
      pools.pop();
      const all = last.weight + pool.weight;
      const mean = (a: number, b: number) => (a * last.weight + b * pool.weight) / all;
      pool = { share: mean(last.share, pool.share), watts: mean(last.watts, pool.watts), weight: all };
    }
    pools.push(pool);
  }
  const [first, second, last, before] = [pools[0], pools[1], pools.at(-1), pools.at(-2)];
  if (!first || !second || !last || !before) return undefined;
  const to = (share: number, a: typeof first, b: typeof first) =>
    a.watts + ((b.watts - a.watts) * (share - a.share)) / (b.share - a.share);
  const idleW = first.share < 0.005 ? first.watts : Math.max(first.watts / 2, to(0, first, second));
  const peakW = last.share > 0.995 ? last.watts : Math.max(last.watts, to(1, before, last));
  const curve = pools
    .filter(({ share }) => share >= 0.005 && share <= 0.995)
    .map(({ share, watts }) => [share, Math.min(peakW, Math.max(idleW, watts))] as const);
  if (curve.length === 0 || curve.length > 16) return undefined;
  const shape = { idleW, peakW, exponent: 1, curve };
  return { ...shape, residual: residualOf(points, shape) };
}

/** The best model through these points; undefined where they say nothing (fewer than three, or all of one share). */
export function fitOf(points: readonly Point[]): Fit | undefined {
  const sound = points.filter(
    ({ share, watts, weight = 1 }) => share >= 0 && share <= 1 && watts >= 0 && Number.isFinite(watts) && weight > 0,
  );
  if (sound.length < 3) return undefined;
  const power = powerOf(sound);
  if (power && power.residual <= followsPower) return power;
  const curve = sound.length >= 4 ? curveOf(sound) : undefined;
  return curve && (!power || curve.residual < power.residual / 2)
    ? { ...curve, exponent: power?.exponent ?? 1 }
    : power;
}
