/**
 * A loop that swings is calmed: where the demand goes up and down by much, again and again, the gains are too high for this room,
 * whatever was learned or assumed. Each time they fall to two thirds; what was wrong only once wears off in weeks.
 */
export interface SwingState {
  readonly clockMs: number;
  /** Which way the demand goes, and how far it has got, as a share of all. */
  readonly way: -1 | 1;
  readonly far: number;
  readonly turnMs: number;
  readonly turns: number;
  readonly calm: number;
}

/** Of all watts: less is noise. */
const much = 0.4;
/** A day's people, sun and windows make a turn or two so soon after one another, not six. */
const togetherMs = 60 * 60_000;
const turnsMost = 6;
const leastCalm = 0.08;
const forgetMs = 21 * 86_400_000;

export const freshSwing = (): SwingState => ({ clockMs: 0, way: 1, far: 0, turnMs: 0, turns: 0, calm: 1 });

/** @param share of the way from nothing to everything; undefined: something else decides just now */
export function swung(state: SwingState, ms: number, share: number | undefined): SwingState {
  const clockMs = state.clockMs + ms;
  const calm = state.calm + (1 - state.calm) * Math.min(1, ms / forgetMs);
  if (share === undefined) return { ...state, clockMs, calm, turns: 0 };
  const at = Math.min(1, Math.max(0, share));
  const back = (state.far - at) * state.way;
  if (back < much) return { ...state, clockMs, calm, far: back < 0 ? at : state.far };
  const turns = clockMs - state.turnMs <= togetherMs ? state.turns + 1 : 1;
  const swings = turns >= turnsMost;
  return {
    clockMs,
    way: state.way === 1 ? -1 : 1,
    far: at,
    turnMs: clockMs,
    turns: swings ? 0 : turns,
    calm: swings ? Math.max(leastCalm, calm / 1.5) : calm,
  };
}
