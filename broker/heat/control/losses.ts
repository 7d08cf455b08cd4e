/**
 * Learns what a room loses to the weather, W per °C, from half-day averages: `P = UA (T - outdoor) + C dT/dt - gains`, by
 * recursive least squares, an observation an hour. Averages over less would learn the sun's and people's day instead.
 * Believed only once the weather has changed enough to tell losses from gains.
 */
import { type Fit, fitted, freshFit } from './least-squares.ts';
import { clamp } from './tuning.ts';

const averageMs = 24 * 3_600_000;
const sampleMs = 3_600_000;
const forget = 0.9985;

export interface LossesState {
  readonly ms: number;
  readonly fit: Fit;
  readonly c?: number;
  readonly outdoorC?: number;
  readonly w?: number;
  /** How long averages have been running, ms. */
  readonly seenMs: number;
  readonly lastC?: number;
  readonly samples: number;
}

export const freshLosses = (): LossesState => ({
  ms: 0,
  fit: freshFit([0, 0, 0], [0.5, 0.5, 3]),
  seenMs: 0,
  samples: 0,
});

/** Without an outdoor reading, or after a gap: the averages begin anew, what is learned stays. */
export const lossesInterrupted = (state: LossesState): LossesState => {
  const { c: _c, outdoorC: _o, w: _w, lastC: _l, ...rest } = state;
  return { ...rest, ms: 0, seenMs: 0 };
};

export function weathered(state: LossesState, ms: number, c: number, outdoorC: number, w: number): LossesState {
  if (!(ms > 0)) return state;
  // The plain mean at first, so that it does not lean on one moment for half a day.
  const seenMs = Math.min(averageMs, state.seenMs + ms);
  const share = Math.min(1, ms / seenMs);
  const next: LossesState = {
    ...state,
    seenMs,
    ms: state.ms + ms,
    c: (state.c ?? c) + share * (c - (state.c ?? c)),
    outdoorC: (state.outdoorC ?? outdoorC) + share * (outdoorC - (state.outdoorC ?? outdoorC)),
    w: (state.w ?? w) + share * (w - (state.w ?? w)),
  };
  if (next.ms < sampleMs) return next;
  return sampled(next);
}

function sampled(state: LossesState): LossesState {
  const { c = 0, outdoorC = 0, w = 0, lastC, ms } = state;
  const moved = { ...state, ms: 0, lastC: c };
  if (state.seenMs < averageMs || lastC === undefined) return moved;
  const difference = c - outdoorC;
  const rate = (c - lastC) / (ms / 3_600_000);
  // In units of 10 °C, 100 W and 0.1 °C/h: all near one.
  const fit = fitted(state.fit, [difference / 10, rate / 0.1, 1], w / 100, forget, 0.5);
  return { ...moved, fit, samples: Math.min(state.samples + 1, 1e6) };
}

/** W per °C, 0 until there is enough to believe: five days, and three standard deviations from nothing. */
export function lossesWPerC(state: LossesState, rangeW: number): number {
  const [share = 0] = state.fit.theta;
  const spread = Math.sqrt(Math.abs(state.fit.p[0] ?? 1));
  if (state.samples < 120 || share < 3 * spread) return 0;
  const ua = share * 10;
  // No room that its machines can keep 8 °C above the weather at least loses more.
  return clamp(ua, 0, rangeW / 8);
}
