/**
 * Gains of the PI controller. Learned ones come from SIMC (S. Skogestad, "Simple analytic rules for model reduction and PID
 * controller tuning", J. Process Control 13, 2003): for a gain k, time constant τ and dead time θ
 * `Kc = τ / (k (τc + θ))`, `τI = min(τ, 4 (τc + θ))`. τc, the wanted closed-loop time constant, is θ (Skogestad's "tight"
 * choice, gain margin about 3), and not below 10 minutes.
 */
export interface Gains {
  /** W per °C. */
  readonly kc: number;
  /** Integral time, s. */
  readonly tiS: number;
}

/** How a room answers to watts within the hour. */
export interface RoomResponse {
  /** °C per W, of what answers within an hour or two: the air and what stands in it. */
  readonly kCPerW: number;
  readonly tauS: number;
  readonly deadS: number;
}

/**
 * Without knowledge: all its watts for 4 °C off. The air of a usual room answers to all its heater's watts with 2 to 8 °C within the hour (more heats
 * no faster for its walls), which makes a loop gain of at most 2; with τ / θ about 1.3 it would swing at 2.8.
 */
export const startGains = (rangeW: number): Gains => ({ kc: rangeW / 4, tiS: 2400 });

const leastTauC = 600;

export function simc({ kCPerW, tauS, deadS }: RoomResponse, rangeW: number): Gains {
  const wait = Math.max(deadS, leastTauC) + deadS;
  const start = startGains(rangeW).kc;
  return {
    kc: clamp(tauS / (kCPerW * wait), start / 3, start * 4),
    tiS: clamp(Math.min(tauS, 4 * wait), 900, 7200),
  };
}

export const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));
