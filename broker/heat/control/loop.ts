/** The loop itself: gains, feed-forward and integral from one step to the next. */
import { type Bounds, type ControlInput, weatherC } from './input.ts';
import { lossesWPerC } from './losses.ts';
import { response } from './response.ts';
import type { ControlState } from './state.ts';
import { calmed, clamp, type Gains, simc, startGains } from './tuning.ts';

const forwardS = 3600;
/** Of the weather's share, what is fed forward: the rest is the integral's, so that an error in UA does not overshoot. */
const forwardShare = 0.85;

/** So cold a room is not kept waiting. */
const coldC = 0.3;

/**
 * What keeps the demand where a direct one left it. Where that is less than the room needs, the colder it is the less: who ends a
 * demand in a cold room wants it warm, not a ramp.
 * @param low what the machines give whatever is asked
 */
export function bumpFrom(state: ControlState, gains: Gains, error: number, low: number): number {
  const bumpW = Math.max(state.demandW, low) - (gains.kc * error + state.integralW + (state.forwardW ?? 0));
  return bumpW < 0 ? bumpW * clamp(1 - error / coldC, 0, 1) : bumpW;
}

export function gainsOf(state: ControlState, rangeW: number): Gains {
  const learned = response(state.response, rangeW);
  return calmed(learned === undefined ? startGains(rangeW) : simc(learned, rangeW), state.swing.calm);
}

/** Moves the feed-forward on, and puts into the integral what a change of gains or of the outdoor reading would make jump. */
export function forwarded(
  state: ControlState,
  input: ControlInput,
  { rangeW, maxW }: Bounds,
  ms: number,
  targetC: number,
  gains: Gains,
  error: number,
): ControlState {
  const outdoorC = weatherC(input);
  const shift = state.kc > 0 ? (state.kc - gains.kc) * error : 0;
  const moved = { ...state, kc: gains.kc, integralW: state.integralW + clamp(shift, -rangeW, rangeW) };
  if (outdoorC === undefined) {
    const { forwardW = 0, ...rest } = moved;
    return { ...rest, integralW: moved.integralW + forwardW };
  }
  const goal = clamp(forwardShare * lossesWPerC(state.losses, rangeW) * (targetC - outdoorC), 0, maxW);
  if (state.forwardW === undefined) return { ...moved, forwardW: goal, integralW: moved.integralW - goal };
  return { ...moved, forwardW: state.forwardW + (1 - Math.exp(-ms / 1000 / forwardS)) * (goal - state.forwardW) };
}

interface Step {
  readonly gains: Gains;
  readonly error: number;
  /** The demand before bounds. */
  readonly free: number;
  readonly low: number;
  readonly high: number;
  readonly factor: number;
  readonly ms: number;
}

export function integrated(state: ControlState, { gains, error, free, low, high, factor, ms }: Step): number {
  const s = ms / 1000;
  const forward = state.forwardW ?? 0;
  const pushed =
    (error > 0 && (free >= high || factor < 1)) || (error < 0 && (free <= low || factor > 1)) || factor === 0;
  let integral = state.integralW + (pushed ? 0 : (gains.kc / gains.tiS) * error * s);
  // What was drawn is what counts, where it is clearly less than asked: somebody else has the fuse.
  const lacking = Math.min(free, high) * factor - (state.drawnW ?? free);
  if (error > 0 && state.by === 'room' && lacking > 0.15 * free + 20) integral -= (lacking * s) / gains.tiS;
  // Never outside of what the machines can do.
  return clamp(integral, Math.min(0, low - forward), high - Math.min(forward, high));
}
