/**
 * What a machine draws as a function of what it does: `idle + (peak - idle) * share ** exponent`, the usual model of whole
 * computers (Fan, Weber, Barroso: Power provisioning for a warehouse-sized computer, ISCA 2007); where a calibration measured
 * a curve that no exponent follows, straight lines between its points. Pure.
 */
import type { NodeHeat } from '../../../shared/schemas/heat.ts';
import type { PowerModel } from '../types.ts';
import { guessOf, type Processor } from './guess.ts';

/** Half the error band of what a person wrote: nobody meters to the watt. */
const saidErr = 0.1;
/** Of a machine of which only one end was written, beside a guess of the other. */
const halfSaidErr = 0.25;
export const mostNodeW = 10_000;

const finite = (value: unknown, from: number, to: number): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= from && value <= to;

type Point = readonly [share: number, watts: number];
/** Points between idle and peak, at most. */
const mostPoints = 16;
const sources: readonly unknown[] = ['document', 'learned', 'guess'];

/** Whether it is a model that may be reckoned with: asked of everything that was read from somewhere. */
export function isModel(value: unknown): value is PowerModel {
  if (typeof value !== 'object' || value === null) return false;
  const { idleW, peakW, exponent, err, curve, rapl, source } = value as Partial<Record<keyof PowerModel, unknown>>;
  return (
    finite(idleW, 0, mostNodeW) &&
    finite(peakW, idleW, mostNodeW) &&
    finite(exponent, 0.2, 3) &&
    finite(err, 0, 1) &&
    sources.includes(source) &&
    (curve === undefined || isCurve(curve, idleW, peakW)) &&
    (rapl === undefined || isLine(rapl))
  );
}

/** Points within idle and peak, each further and no lower than the one before. */
function isCurve(curve: unknown, idleW: number, peakW: number): boolean {
  if (!Array.isArray(curve) || curve.length > mostPoints) return false;
  let [x, w]: Point = [0, idleW];
  for (const point of curve as unknown[]) {
    if (!Array.isArray(point) || point.length !== 2) return false;
    const [share, watts]: unknown[] = point;
    if (!finite(share, 0, 1) || share <= x || share >= 1 || !finite(watts, w, peakW)) return false;
    [x, w] = [share, watts];
  }
  return true;
}

function isLine(rapl: unknown): boolean {
  if (typeof rapl !== 'object' || rapl === null) return false;
  const { base, slope } = rapl as Partial<Record<'base' | 'slope', unknown>>;
  return finite(base, 0, mostNodeW) && finite(slope, 0, 10);
}

/** What labels said before nodes had a `heat`; the same meaning. Keys that are no watts are left out. */
export function labelsSaid(labels: Readonly<Record<string, string>>): Pick<NodeHeat, 'idle_w' | 'peak_w'> {
  const [idle, peak] = [Number(labels.watts_idle || Number.NaN), Number(labels.watts_max || Number.NaN)];
  const ok = (watts: number) => finite(watts, 0, mostNodeW);
  if (ok(idle) && ok(peak) && idle > peak) return {};
  return { ...(ok(idle) ? { idle_w: idle } : {}), ...(ok(peak) ? { peak_w: peak } : {}) };
}

/**
 * The model of one machine: what its document (or its labels) says comes first, then what a meter taught, then a guess by its
 * processor. A document that says one end keeps the shape, and the other end, of what is known beside it.
 */
export function modelOf(
  processor: Processor,
  said: Pick<NodeHeat, 'idle_w' | 'peak_w'> | undefined,
  learned?: PowerModel,
): PowerModel {
  const known = learned && isModel(learned) ? learned : guessOf(processor);
  const { idle_w, peak_w } = said ?? {};
  if (idle_w === undefined && peak_w === undefined) return known;
  const idleW = Math.min(idle_w ?? known.idleW, peak_w ?? Number.POSITIVE_INFINITY);
  const peakW = Math.max(peak_w ?? known.peakW, idleW);
  const both = idle_w !== undefined && peak_w !== undefined;
  return {
    idleW,
    peakW,
    exponent: known.exponent,
    source: 'document',
    err: both ? saidErr : known.source === 'learned' ? saidErr : halfSaidErr,
  };
}

/** Below this ratio of clocks a model says nothing any more. */
const leastRatio = 0.1;
const mostRatio = 1.5;

/** 0..1 of the range between idle and peak. */
function shareOfRange({ idleW, peakW, exponent, curve }: PowerModel, share: number): number {
  if (curve === undefined || peakW <= idleW) return share ** exponent;
  let [x0, w0]: Point = [0, idleW];
  for (const [x, w] of [...curve, [1, peakW] as Point]) {
    if (share <= x) return (w0 + ((w - w0) * (share - x0)) / (x - x0) - idleW) / (peakW - idleW);
    [x0, w0] = [x, w];
  }
  return 1;
}

/**
 * Watts while this share of all cores is busy.
 * @param busyShare 0..1; what is outside is bounded, NaN counts as 0
 * @param mhzRatio clock now by the clock the model was made at. The watts above idle go with it in proportion: less than the
 * square or cube that voltage scaling would give, since old machines hardly lower their voltage.
 */
export function wattsOf(model: PowerModel, busyShare: number, mhzRatio = 1): number {
  const share = busyShare > 0 ? Math.min(1, busyShare) : 0;
  const ratio = mhzRatio > leastRatio ? Math.min(mostRatio, mhzRatio) : mhzRatio <= leastRatio ? leastRatio : 1;
  return model.idleW + Math.max(0, model.peakW - model.idleW) * shareOfRange(model, share) * ratio;
}

/** The inverse of {@link wattsOf}: busy cores of `cores` that draw so many watts; 0..cores. */
export function coresFor(model: PowerModel, cores: number, watts: number): number {
  const { idleW, peakW, exponent, curve } = model;
  const range = peakW - idleW;
  if (!(range > 0) || !(watts > idleW) || !(cores > 0)) return 0;
  if (watts >= peakW) return cores;
  if (curve === undefined) return cores * ((watts - idleW) / range) ** (1 / exponent);
  let [x0, w0]: Point = [0, idleW];
  for (const [x, w] of [...curve, [1, peakW] as Point]) {
    if (watts <= w) return w > w0 ? cores * (x0 + ((x - x0) * (watts - w0)) / (w - w0)) : cores * x0;
    [x0, w0] = [x, w];
  }
  return cores;
}
