/**
 * Gains of the PI controller. Learned ones come from SIMC (S. Skogestad, "Simple analytic rules for model reduction and PID
 * controller tuning", J. Process Control 13, 2003): for a slope k' = k / τ, a time constant τ and a dead time θ
 * `Kc = 1 / (k' (τc + θ))`, `τI = min(τ, τc + θ)`. τc, the wanted closed-loop time constant, is
 * θ (Skogestad's "tight" choice, gain margin about 3), and not below 15 minutes: watts that jump with every tenth of a degree are loud fans.
 *
 * Skogestad's `4 (τc + θ)` would damp an integrator critically. A room is none: against its walls its air settles within a quarter of an hour,
 * which is lost in what was learned of hours. What people, sun and weather bring costs degrees in proportion to `τI / Kc`; and were it an
 * integrator, it would still be damped by ½ √(τI / (τc + θ)) = 0.5.
 */
export interface Gains {
  /** W per °C. */
  readonly kc: number;
  /** Integral time, s. */
  readonly tiS: number;
}

/** How a room answers to watts within the hour or two: its air and what stands in it. */
export interface RoomResponse {
  /** °C per s and W, right after watts change. */
  readonly slope: number;
  /** After which it does not rise further; absent: longer than could be seen. */
  readonly tauS?: number;
  readonly deadS: number;
}

/**
 * Without knowledge: two thirds of its watts per °C. Where all watts of the room warm its air by 1 to 4 °C within the hour that is a loop gain of
 * at most 2.8, just below where a lag and a dead time of 12 and 8 minutes begin to swing; for rooms that are heated harder see {@link calmed}.
 */
export const startGains = (rangeW: number): Gains => ({ kc: 0.7 * rangeW, tiS: 1800 });

const leastTauC = 900;
/** Longer than that nobody waits for a disturbance to be made up for. */
const mostTiS = 2400;

export function simc({ slope, tauS = Number.POSITIVE_INFINITY, deadS }: RoomResponse, rangeW: number): Gains {
  const wait = Math.max(deadS, leastTauC) + deadS;
  const start = startGains(rangeW).kc;
  return {
    kc: clamp(1 / (slope * wait), start / 6, start * 4),
    tiS: clamp(Math.min(tauS, wait), 900, mostTiS),
  };
}

/** The same, calmer (0..1): as if its lag were longer, which by SIMC lowers `Kc` and raises `τI` alike. */
export const calmed = ({ kc, tiS }: Gains, calm: number): Gains => ({ kc: kc * calm, tiS: Math.min(7200, tiS / calm) });

export const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));
