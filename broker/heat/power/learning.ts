/**
 * A model learned from a plug in everyday use, without a calibration: slowly, within bounds, and never from one odd hour. Readings
 * while the machine was evenly busy for a minute go into bins by how busy it was, each an average that forgets over days; a model
 * through the bins replaces the one before by a part only. Pure; the state is JSON.
 */
import type { PowerModel } from '../types.ts';
import { fitOf } from './fit.ts';
import { isModel, mostNodeW, wattsOf } from './model.ts';

export interface LearningState {
  /** By busy share, {@link bins} of them. */
  readonly bins: readonly (LearnedBin | null)[];
  /** When the model was last fitted. */
  readonly fitAt?: number;
  readonly steady?: { readonly share: number; readonly since: number };
  /** Last reading that was taken. */
  readonly at?: number;
}

export interface LearnedBin {
  readonly share: number;
  readonly watts: number;
  /** How far readings lie from that, in the mean. */
  readonly apart: number;
  /** Minutes of readings, what is old counted less. */
  readonly minutes: number;
}

const bins = 10;
const minute = 60_000;
/** Evenly busy: within this share of all cores, for so long. */
const evenShare = 0.05;
const evenMs = minute;
const mostStepMs = 15_000;
/** A bin says something after so many minutes, and counts no more than this. */
const leastMinutes = 10;
const mostMinutes = 24 * 60;
const fitEveryMs = 60 * minute;
/** Of the difference between the model and what was fitted, at each fit. */
const part = 0.1;
/** A fit this far off its points, or from the guess, is a plug with something else on it. */
const mostResidual = 0.15;
const furthest = 4;
/** Readings of one bin that lie further apart are of something that comes and goes. */
const mostApart = 0.15;
const mostApartW = 1;

export const freshLearning = (): LearningState => ({ bins: Array.from({ length: bins }, () => null) });

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

/** What was written once; times begin anew. */
export function loadLearning(value: unknown): LearningState {
  const read = typeof value === 'object' && value !== null && 'bins' in value ? value.bins : undefined;
  if (!Array.isArray(read) || read.length !== bins) return freshLearning();
  return { bins: read.map(bin => (isBin(bin) ? bin : null)) };
}

function isBin(bin: unknown): bin is LearnedBin {
  if (typeof bin !== 'object' || bin === null) return false;
  const { share, watts, apart, minutes } = bin as Record<string, unknown>;
  return (
    isNumber(share) &&
    share >= 0 &&
    share <= 1 &&
    isNumber(watts) &&
    watts >= 0 &&
    watts <= mostNodeW &&
    isNumber(apart) &&
    apart >= 0 &&
    isNumber(minutes) &&
    minutes >= 0 &&
    minutes <= mostMinutes
  );
}

export interface Metered {
  readonly watts: number;
  readonly busyShare: number;
}

/**
 * One reading of the plug beside how busy the machine is.
 * @param model what is used now
 * @param guess what its processor suggests: a fit four times off is not believed
 * @returns a model where there is a better one
 */
export function learn(
  state: LearningState,
  { watts, busyShare }: Metered,
  model: PowerModel,
  guess: PowerModel,
  now: number,
): { readonly state: LearningState; readonly model?: PowerModel } {
  if (!(watts > 0 && watts <= mostNodeW && busyShare >= 0 && busyShare <= 1)) return { state };
  const { steady } = state;
  const even = steady !== undefined && steady.since <= now && Math.abs(busyShare - steady.share) <= evenShare;
  if (!even) return { state: { ...state, steady: { share: busyShare, since: now }, at: now } };
  if (now - steady.since < evenMs) return { state: { ...state, at: now } };
  const ms = Math.min(mostStepMs, Math.max(0, now - (state.at ?? now)));
  const at = Math.min(bins - 1, Math.floor(busyShare * bins));
  const filled = state.bins.map((bin, i) => (i === at ? filledBin(bin, busyShare, watts, ms / minute) : bin));
  const next: LearningState = { ...state, bins: filled, at: now, fitAt: state.fitAt ?? now };
  const fitAt = Math.min(now, next.fitAt ?? now);
  if (now - fitAt < fitEveryMs) return { state: { ...next, fitAt } };
  const better = fitted(filled, model, guess);
  return { state: { ...next, fitAt: now }, ...(better ? { model: better } : {}) };
}

function filledBin(bin: LearnedBin | null, share: number, watts: number, minutes: number): LearnedBin {
  if (!bin) return { share, watts, apart: 0, minutes };
  const all = Math.min(mostMinutes, bin.minutes + minutes);
  const weight = all > 0 ? Math.min(1, minutes / all) : 0;
  return {
    share: bin.share + weight * (share - bin.share),
    watts: bin.watts + weight * (watts - bin.watts),
    apart: bin.apart + weight * (Math.abs(watts - bin.watts) - bin.apart),
    minutes: all,
  };
}

function fitted(filled: readonly (LearnedBin | null)[], model: PowerModel, guess: PowerModel): PowerModel | undefined {
  const said = filled.filter(bin => bin !== null).filter(bin => bin.minutes >= leastMinutes);
  const [first, last] = [said[0], said.at(-1)];
  if (said.some(({ watts, apart }) => apart > Math.max(mostApartW, mostApart * watts))) return undefined;
  // Half of the range at least, and idle: no ends are made up from a middle.
  if (said.length < 3 || !first || !last || first.share > 0.15 || last.share - first.share < 0.5) return undefined;
  const fit = fitOf(said.map(({ share, watts, minutes }) => ({ share, watts, weight: Math.min(minutes, 240) })));
  if (!fit || fit.residual > mostResidual) return undefined;
  const off = (a: number, b: number) => a > furthest * Math.max(1, b) || b > furthest * Math.max(1, a);
  if (off(fit.peakW, guess.peakW) || off(fit.idleW, guess.idleW)) return undefined;
  // What was learned before stays, nine parts of ten; a guess goes at once, since a plug knows better.
  const whole = model.source !== 'learned';
  const exponent = Math.min(2, Math.max(0.3, fit.exponent));
  const mix = (was: number, is: number) => (whole ? is : was + part * (is - was));
  const shape: PowerModel = {
    idleW: mix(model.idleW, fit.idleW),
    peakW: mix(model.peakW, fit.peakW),
    exponent: mix(model.exponent, exponent),
    source: 'learned',
    err: 0,
    ...(!whole && model.rapl ? { rapl: model.rapl } : {}),
  };
  const next = model.curve && !whole ? movedCurve(model, shape) : shape;
  const rms = Math.sqrt(
    said.reduce((sum, { share, watts }) => sum + ((wattsOf(next, share) - watts) / watts) ** 2, 0) / said.length,
  );
  const better = { ...next, err: Math.min(0.25, 0.03 + 2 * rms) };
  return isModel(better) && better.peakW > better.idleW ? better : undefined;
}

/** Points that a calibration measured keep their place between idle and peak. */
function movedCurve(model: PowerModel, { idleW, peakW, ...rest }: PowerModel): PowerModel {
  const range = Math.max(1e-9, model.peakW - model.idleW);
  const curve = (model.curve ?? []).map(
    ([share, watts]) => [share, idleW + ((peakW - idleW) * (watts - model.idleW)) / range] as const,
  );
  return { ...rest, idleW, peakW, curve };
}
