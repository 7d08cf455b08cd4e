/**
 * A window that stands open: the temperature falls faster than a closed room can. Then heat is held back, for a bounded time:
 * until it rises again, or half an hour.
 *
 * 0.8 °C within six minutes: a closed room at -10 °C outside loses 1 to 2 °C an hour of its air when all heat ends at once, 0.2 in six minutes. A
 * thermometer of 0.5 °C steps must make two of them. (Radiator valves ask for about 1.5 °C in a few minutes, since they hang
 * in the draught.)
 */
export interface WindowState {
  /** Readings of the last minutes, the oldest first. */
  readonly recent: readonly { readonly ms: number; readonly c: number }[];
  /** Ms on the counter of this state. */
  readonly clockMs: number;
  readonly open?: { readonly sinceMs: number; readonly lowestC: number };
  /** No new one before: what fell because heat was held back is no second window. */
  readonly deafUntilMs: number;
}

const spanMs = 6 * 60_000;
const everyMs = 30_000;
const fallC = 0.8;
const riseC = 0.2;
const mostMs = 30 * 60_000;
const deafMs = 20 * 60_000;

export const freshWindow = (): WindowState => ({ recent: [], clockMs: 0, deafUntilMs: 0 });

/** `steady`: heat was not taken away in these minutes, else a fall is our own doing. */
export function watched(state: WindowState, ms: number, c: number, steady: boolean): WindowState {
  const clockMs = state.clockMs + ms;
  const recent = remembered(state, clockMs, c);
  const { open } = state;
  if (open !== undefined) {
    const lowestC = Math.min(open.lowestC, c);
    const over = c >= lowestC + riseC || clockMs - open.sinceMs >= mostMs;
    if (!over) return { ...state, recent, clockMs, open: { ...open, lowestC } };
    return { recent: [{ ms: clockMs, c }], clockMs, deafUntilMs: clockMs + deafMs };
  }
  const highest = recent.reduce((most, one) => Math.max(most, one.c), c);
  const falls = steady && clockMs >= state.deafUntilMs && highest - c >= fallC - 1e-9;
  return {
    recent,
    clockMs,
    deafUntilMs: state.deafUntilMs,
    ...(falls && { open: { sinceMs: clockMs, lowestC: c } }),
  };
}

function remembered({ recent }: WindowState, ms: number, c: number): WindowState['recent'] {
  const kept = recent.filter(one => ms - one.ms <= spanMs);
  const last = kept.at(-1);
  return last !== undefined && ms - last.ms < everyMs && last.c <= c ? kept : [...kept, { ms, c }].slice(-40);
}
