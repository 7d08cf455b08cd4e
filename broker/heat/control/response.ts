/**
 * Learns how a room's air answers to watts: slope, time constant and dead time of a first-order model
 * `T[k+1] - T[k] = -α T[k] + β P[k-d]`, by least squares for each dead time d that is possible; the one that predicts best counts.
 * Both signals without their slow part (walls, weather, season), so two numbers are enough.
 *
 * In a closed loop everything else misleads: sun makes it warmer and the controller gives less, which looks as if less heat
 * warmed. So it looks only where watts moved for a reason outside the loop: after a new target, a new mode, a demand by hand, and
 * while the watts are above what the loop alone moves (excitation).
 */
import { type Fit, fitted, freshFit, predicted } from './least-squares.ts';
import { clamp, type RoomResponse } from './tuning.ts';

const sampleMs = 300_000;
const sampleS = sampleMs / 1000;
const slowMs = 3 * 3_600_000;
const excitedMs = 100 * 60_000;
const delays = 5;
/** Samples until it is believed: two or three mornings. */
const enough = 36;
/** Variance of a difference of two readings, each with 0.05 °C of noise or a step of 0.1 °C. */
const noise = 0.005;
const forget = 0.998;

interface Candidate {
  readonly fit: Fit;
  /** Squared error of prediction, averaged. */
  readonly error: number;
}

export interface ResponseState {
  /** The running sample. */
  readonly sum: { readonly ms: number; readonly c: number; readonly w: number };
  readonly lastC?: number;
  readonly slowC?: number;
  readonly slowW?: number;
  /** Watts of the last samples, newest first, without their slow part. */
  readonly watts: readonly number[];
  readonly excitedLeftMs: number;
  readonly candidates: readonly Candidate[];
  /** Squared differences themselves, averaged: what predicting nothing would miss. */
  readonly naive: number;
  readonly samples: number;
}

/** Watts are in units of this, so that the fit is well conditioned. */
const unitW = 100;

export const freshResponse = (): ResponseState => ({
  sum: { ms: 0, c: 0, w: 0 },
  watts: [],
  excitedLeftMs: 0,
  // Starts at 20 minutes and 4 °C for 800 W, and believes little of it.
  candidates: Array.from({ length: delays }, () => ({ fit: freshFit([0.15, 0.08], [0.3, 0.3]), error: 0 })),
  naive: 0,
  samples: 0,
});

export const excited = (state: ResponseState): ResponseState => ({ ...state, excitedLeftMs: excitedMs });

/** Begins the running sample anew: what came between (a window, a gap) is no answer to watts. */
export const interrupted = (state: ResponseState): ResponseState => {
  const { lastC: _c, slowC: _s, slowW: _w, ...rest } = state;
  return { ...rest, sum: { ms: 0, c: 0, w: 0 }, watts: [], excitedLeftMs: 0 };
};

export function observed(state: ResponseState, ms: number, c: number, w: number): ResponseState {
  if (!(ms > 0)) return state;
  const sum = { ms: state.sum.ms + ms, c: state.sum.c + c * ms, w: state.sum.w + w * ms };
  const excitedLeftMs = Math.max(0, state.excitedLeftMs - ms);
  if (sum.ms < sampleMs) return { ...state, sum, excitedLeftMs };
  return sampled({ ...state, sum: { ms: 0, c: 0, w: 0 }, excitedLeftMs }, sum.c / sum.ms, sum.w / sum.ms, sum.ms);
}

function sampled(state: ResponseState, c: number, w: number, ms: number): ResponseState {
  const share = 1 - Math.exp(-ms / slowMs);
  const { lastC, slowC = c, slowW = w } = state;
  const moved: ResponseState = {
    ...state,
    lastC: c,
    slowC: slowC + share * (c - slowC),
    slowW: slowW + share * (w - slowW),
    watts: [(w - slowW) / unitW, ...state.watts].slice(0, delays + 1),
  };
  if (lastC === undefined || moved.watts.length <= delays || state.excitedLeftMs <= 0) return moved;
  const y = c - lastC;
  const forgetting = 1 - forget;
  const candidates = state.candidates.map(({ fit, error }, d) => {
    const x = [-(lastC - slowC), moved.watts[d] as number];
    const missed = (y - predicted(fit, x)) ** 2;
    return { fit: fitted(fit, x, y, forget, noise), error: error + 5 * forgetting * (missed - error) };
  });
  const naive = state.naive + 5 * forgetting * (y * y - state.naive);
  return { ...moved, candidates, naive, samples: Math.min(state.samples + 1, 1e6) };
}

/** What was learned; undefined until there was enough to learn from, or where it makes no sense. */
export function response(state: ResponseState, rangeW: number): RoomResponse | undefined {
  if (state.samples < enough) return undefined;
  let best = 0;
  state.candidates.forEach((candidate, d) => {
    if (candidate.error < (state.candidates[best] as Candidate).error) best = d;
  });
  const { fit, error } = state.candidates[best] as Candidate;
  const [alpha = 0, beta = 0] = fit.theta;
  const [p00 = 1, , , p11 = 1] = fit.p;
  const slope = beta / unitW / sampleS;
  // Believed where it is four standard deviations from nothing, and no room of paper or of rock.
  if (beta < 4 * Math.sqrt(Math.abs(p11)) || error > state.naive) return undefined;
  if (slope * rangeW * 3600 < 0.1 || slope * rangeW * 3600 > 60) return undefined;
  // A sample's mean is half a sample old, and so is the zero-order hold of watts.
  const deadS = clamp((best + 0.5) * sampleS, 150, 1800);
  // Discrete to continuous: α = 1 - exp(-h/τ). Often it is lost in the noise: then the room is an integrator.
  const settles = alpha > 2 * Math.sqrt(Math.abs(p00)) && alpha < 1;
  return { slope, deadS, ...(settles && { tauS: clamp(-sampleS / Math.log(1 - alpha), 300, 6 * 3600) }) };
}
