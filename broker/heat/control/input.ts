/** What the controller is told at each step, and what it makes of numbers that may be anything. */
import type { RoomAim, Sensed } from '../types.ts';
import type { NextTarget } from './early-start.ts';
import type { ControlState } from './state.ts';
import { clamp } from './tuning.ts';

const dayMs = 86_400_000;

export interface ControlInput {
  /** Monotonic ms. */
  readonly now: number;
  readonly aim: RoomAim;
  readonly sensed: Sensed;
  /** °C; absent where there is no reading that counts. */
  readonly outdoorC?: number;
  /** Watts that somebody demands instead of the thermometer. */
  readonly directW?: number;
  /** What the room's machines draw whatever is asked, and with all that they may do. */
  readonly minW: number;
  readonly maxW: number;
  /** What they could give above idle if nothing else ran on them, W: the loop's gains go by it. Default: `maxW - minW`. */
  readonly spanW?: number;
  /** Watts they drew since the last step, on average. */
  readonly heatW: number;
  /** Default true. */
  readonly learn?: boolean;
  /** The schedule's next target, for a start ahead of it. */
  readonly next?: NextTarget;
}

/** Numbers from outside may be anything; from here on they are finite and in order. */
export interface Bounds {
  readonly minW: number;
  readonly maxW: number;
  readonly heatW: number;
  readonly rangeW: number;
}

export function bounds(state: ControlState, { minW, maxW, spanW = 0, heatW, aim }: ControlInput, ms: number): Bounds {
  const watts = (value: number) => (Number.isFinite(value) ? clamp(value, 0, 1e6) : 0);
  const most = watts(maxW);
  const least = Math.min(watts(minW), most);
  const capped = aim.maxW >= 0 ? Math.min(most, aim.maxW) : 0;
  return {
    minW: least,
    maxW: capped,
    heatW: watts(heatW),
    rangeW: Math.max(most - least, watts(spanW), state.rangeW * Math.exp(-ms / dayMs), 1),
  };
}

export const weatherC = ({ outdoorC }: ControlInput): number | undefined =>
  outdoorC !== undefined && Math.abs(outdoorC) < 100 ? outdoorC : undefined;

export const finite = (value: number | undefined): number | undefined =>
  value !== undefined && Number.isFinite(value) ? value : undefined;

export const leastW = (aim: RoomAim): number => (aim.minW > 0 ? aim.minW : 0);
