/**
 * Optimal start: heating begins so early that the schedule's next, warmer target is reached when it says. The pace, °C per hour at all that the room's machines
 * give, is learned from every recovery.
 */
import { clamp } from './tuning.ts';

export interface PaceState {
  /** °C per hour. */
  readonly pace: number;
  readonly runs: number;
  /** The recovery that is being timed. */
  readonly run?: { readonly fromC: number; readonly ms: number };
  /** Heating for a target that is not there yet. */
  readonly early?: number;
}

/** Of a target ahead: what it will be, and in how many seconds. */
export interface NextTarget {
  readonly targetC: number;
  readonly inS: number;
}

const longestS = 5 * 3600;
/** As good as there. */
const nearC = 0.15;

/** Starts with 1 °C an hour: what a heater sized for its room makes. */
export const freshPace = (): PaceState => ({ pace: 1, runs: 0 });

/** Which target counts now. Once begun, it goes on until the schedule is there. */
export function aimedAt(state: PaceState, c: number, targetC: number, next: NextTarget | undefined): PaceState {
  const { early: before, ...rest } = state;
  if (next === undefined || !(next.targetC > targetC && next.targetC < 100) || !(next.inS >= 0)) return rest;
  const missing = next.targetC - c;
  const neededS = Math.min(longestS, ((missing - nearC) / state.pace) * 3600 * 1.05 + 300);
  const begun = before !== undefined && next.inS < longestS;
  return begun || (missing > 0.2 && next.inS <= neededS) ? { ...rest, early: next.targetC } : rest;
}

/** A recovery that was disturbed tells nothing. */
export function untimed(state: PaceState): PaceState {
  const { run: _r, ...rest } = state;
  return rest;
}

/** What is too short tells nothing; what is not there after so long never will be. */
const leastMs = 15 * 60_000;
const mostMs = 8 * 3_600_000;
const leastC = 0.7;

/**
 * Times recoveries, from when everything is given until the target is nearly reached: the last tenths, which take their time, count as
 * well.
 * @param error target - temperature
 * @param full everything is given and more is wanted
 */
export function timed(state: PaceState, ms: number, c: number, error: number, full: boolean): PaceState {
  const { run, ...rest } = state;
  if (run === undefined) return full && error > leastC ? { ...state, run: { fromC: c, ms: 0 } } : state;
  const lasted = run.ms + ms;
  if (error > nearC && lasted < mostMs) return { ...state, run: { fromC: run.fromC, ms: lasted } };
  const rose = c - run.fromC;
  if (rose < leastC - nearC || lasted < leastMs) return rest;
  const seen = clamp(rose / (lasted / 3_600_000), 0.15, 8);
  const weight = Math.max(0.25, 1 / (state.runs + 1));
  return { ...rest, pace: state.pace + weight * (seen - state.pace), runs: Math.min(state.runs + 1, 1e6) };
}
