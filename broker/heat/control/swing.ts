/**
 * A loop that swings is calmed: where the room gets too warm and too cold in turns, again and again within hours, the gains are too high
 * for it, whatever was learned or assumed. Each time they fall to two thirds; what was wrong only once wears off in
 * weeks.
 */
export interface SwingState {
  readonly clockMs: number;
  /** On which side of the target it was last. */
  readonly side: -1 | 0 | 1;
  readonly turnMs: number;
  readonly turns: number;
  readonly calm: number;
}

/** Off the target by so much on both sides: more than noise, and a thermometer of 0.5 °C steps is on one side only. */
const offC = 0.26;
/** A day's people, sun and windows make a turn or two so soon after one another, not four. */
const togetherMs = 150 * 60_000;
const turnsMost = 4;
const leastCalm = 0.08;
const forgetMs = 21 * 86_400_000;

export const freshSwing = (): SwingState => ({ clockMs: 0, side: 0, turnMs: 0, turns: 0, calm: 1 });

/** @param error target - temperature; undefined: something else decides just now */
export function swung(state: SwingState, ms: number, error: number | undefined): SwingState {
  const clockMs = state.clockMs + ms;
  const calm = state.calm + (1 - state.calm) * Math.min(1, ms / forgetMs);
  if (error === undefined) return { ...state, clockMs, calm, side: 0, turns: 0 };
  const side = error >= offC ? 1 : error <= -offC ? -1 : state.side;
  if (side === state.side) return { ...state, clockMs, calm };
  const turns = state.side !== 0 && clockMs - state.turnMs <= togetherMs ? state.turns + 1 : 0;
  const swings = turns >= turnsMost;
  return {
    clockMs,
    side,
    turnMs: clockMs,
    turns: swings ? 0 : turns,
    calm: swings ? Math.max(leastCalm, calm / 1.5) : calm,
  };
}
