/**
 * The room's controller: degrees to watts. Pure: state and input to state and demand; to be asked every few seconds.
 *
 * Proportional-integral on the smoothed thermometer, with feed-forward of what the room loses to the weather. All in watts of
 * the room's machines, what they draw idle counted:
 * `demand = Kc (target - T) + integral + UA (target - outdoor)`.
 *
 * - Anti-windup: the integral stands still where the demand is at a bound and the error pushes further, and goes back to what was
 *   really drawn where that is less (a fuse, minimum times, hot machines) (Åström & Hägglund, PID Controllers, 2nd ed.,
 *   section 3.5: conditional integration and back-calculation).
 * - No jumps: gains, feed-forward and what demands change without a jump of the demand; a new target moves it by what P
 *   says.
 * - Not sensed, off, above the hard limit, window open: nothing.
 */
import type { Sensed } from '../types.ts';
import { aimedAt, timed, untimed } from './early-start.ts';
import { type Bounds, bounds, type ControlInput, finite, leastW, weatherC } from './input.ts';
import { bumpFrom, forwarded, gainsOf, integrated } from './loop.ts';
import { lossesInterrupted, weathered } from './losses.ts';
import { watched } from './open-window.ts';
import { excited, interrupted, observed } from './response.ts';
import { type ControlState, freshControl } from './state.ts';
import { swung } from './swing.ts';
import { clamp } from './tuning.ts';

export type { ControlInput } from './input.ts';
export { type ControlState, freshControl, loadedControl } from './state.ts';

export interface Control {
  readonly state: ControlState;
  /** Total watts of the room's machines, 0 to `maxW`. Below `minW` means: nothing on top of what they draw anyway. */
  readonly demandW: number;
  readonly action: 'off' | 'idle' | 'heating';
  /** What is in the way, one sentence; empty where nothing is. */
  readonly err: string;
}

const smoothS = 90;
const bumpS = 600;
/** Two thirds of the loop's usual integral time: shorter, it leaves the line before it has made up for it; longer, it makes up for it twice. */
const edgeS = 800;
/** A step longer than this (suspended, stopped) tells nothing about what was in between. */
const gapMs = 5 * 60_000;

export function control(before: ControlState, input: ControlInput): Control {
  const { aim, sensed, now } = input;
  const elapsed = before.at === undefined ? 0 : now - before.at;
  const ms = elapsed > 0 && elapsed <= gapMs ? elapsed : 0;
  const state = elapsed > gapMs || elapsed < 0 ? broken(before) : before;
  const stamped = { ...state, at: now };
  const target = aim.mode === 'heat' ? aim.targetC : undefined;
  if (!sensed.ok || !(Math.abs(sensed.c) < 100)) {
    const off = target === undefined;
    const err = sensed.ok ? 'the thermometer says no temperature of a room' : sensed.why;
    return nothing(broken(stamped), off ? 'off' : 'idle', off ? '' : err);
  }
  if (target === undefined || !(Math.abs(target) < 100)) return nothing(stamped, 'off', '');
  if (!(sensed.c < aim.limitC)) {
    return nothing(stamped, 'idle', `${sensed.c} °C is at or above the room’s hard limit of ${aim.limitC} °C`);
  }
  const limits = bounds(stamped, input, ms);
  const seen = look(stamped, input, limits, ms, sensed);
  if (input.directW !== undefined) return direct(seen, input, limits, sensed.c);
  return regulated(seen, input, limits, ms, sensed.c, target);
}

type Sound = Extract<Sensed, { readonly ok: true }>;

/**
 * Where a coarse thermometer has just gone over a line, the room is on that line, and later on somewhere on this side: the middle of the step is as
 * good a guess as any, half an hour later. Else the loop would rest at the edge of a step and never come to its middle.
 */
function likelyC({ c, edge }: Sound): number {
  if (edge === undefined || !(Math.abs(edge.c - c) < 1) || !(edge.agoS >= 0)) return c;
  return c + (edge.c - c) * Math.exp(-edge.agoS / edgeS);
}

/** Nobody heats. The integral stays: it is the best guess of what the room needs when somebody does again. */
function nothing(state: ControlState, action: 'off' | 'idle', err: string): Control {
  const { targetC: _t, ...rest } = state;
  return { state: { ...rest, by: 'nobody', bumpW: 0, demandW: 0 }, demandW: 0, action, err };
}

/** After a gap: what is learned stays, what was running begins anew. */
function broken(state: ControlState): ControlState {
  const { c: _c, drawnW: _d, steadyW: _s, ...rest } = state;
  return {
    ...rest,
    window: freshControl().window,
    response: interrupted(state.response),
    losses: lossesInterrupted(state.losses),
    pace: untimed(state.pace),
  };
}

/** Smooths and learns from what is seen, whoever demands. */
function look(state: ControlState, input: ControlInput, limits: Bounds, ms: number, sensed: Sound): ControlState {
  const c = likelyC(sensed);
  const { heatW, rangeW } = limits;
  const slower = (old: number | undefined, value: number, seconds: number) =>
    old === undefined ? value : old + (1 - Math.exp(-ms / 1000 / seconds)) * (value - old);
  const steadyW = slower(state.steadyW, heatW, 900);
  const wasOpen = state.window.open !== undefined;
  const window = watched(
    state.window,
    ms,
    sensed.c,
    heatW > steadyW - Math.min(0.1 * rangeW, Math.max(20, 0.2 * steadyW)),
  );
  const opened = window.open !== undefined && !wasOpen;
  const learn = input.learn !== false;
  const outdoorC = weatherC(input);
  return {
    ...state,
    rangeW,
    c: slower(state.c, c, smoothS),
    drawnW: slower(state.drawnW, heatW, 300),
    steadyW,
    window,
    response: opened
      ? interrupted(state.response)
      : learn && window.open === undefined
        ? observed(state.response, ms, c, heatW)
        : state.response,
    losses: !learn
      ? state.losses
      : outdoorC === undefined
        ? lossesInterrupted(state.losses)
        : weathered(state.losses, ms, c, outdoorC, heatW),
  };
}

/** A room that was never heated is as warm as what its machines draw anyway makes it: from there on it goes. */
const begun = (state: ControlState, { minW }: Bounds): ControlState =>
  state.kc === 0 && state.integralW === 0 ? { ...state, integralW: minW } : state;

function direct(state: ControlState, { directW, aim }: ControlInput, limits: Bounds, c: number): Control {
  const wanted = Math.max(finite(directW) ?? 0, leastW(aim));
  const demandW = clamp(wanted, 0, limits.maxW);
  const moved = state.by === 'direct' && Math.abs(demandW - state.demandW) < 0.25 * limits.rangeW;
  const { early: _e, ...pace } = untimed(state.pace);
  return {
    state: {
      ...state,
      by: 'direct',
      bumpW: 0,
      demandW,
      targetC: aim.targetC ?? c,
      pace,
      response: moved ? state.response : excited(state.response),
    },
    demandW,
    action: demandW > limits.minW + 0.5 ? 'heating' : 'idle',
    err: '',
  };
}

function regulated(
  seen: ControlState,
  input: ControlInput,
  limits: Bounds,
  ms: number,
  rawC: number,
  target: number,
): Control {
  const { aim } = input;
  const c = seen.c ?? rawC;
  const pace = aimedAt(seen.pace, c, target, input.next);
  const targetC = pace.early ?? target;
  const error = targetC - c;
  const gains = gainsOf(seen, limits.rangeW);
  const fresh = seen.targetC === undefined || Math.abs(seen.targetC - targetC) >= 0.8;
  const open = seen.window.open !== undefined;
  const state = forwarded(begun(seen, limits), input, limits, ms, targetC, gains, error);
  const low = Math.max(limits.minW, leastW(aim));
  const high = Math.max(limits.maxW, low);
  const bumpW = state.by === 'direct' ? bumpFrom(state, gains, error, low) : state.bumpW * Math.exp(-ms / 1000 / bumpS);
  const pi = gains.kc * error + state.integralW + (state.forwardW ?? 0);
  const factor = aim.factor >= 0 && Number.isFinite(aim.factor) ? aim.factor : 1;
  const free = pi + bumpW;
  const integralW = open ? state.integralW : integrated(state, { gains, error, free, low, high, factor, ms });
  const asked = open ? 0 : Math.min(clamp(free, 0, limits.maxW) * factor, limits.maxW);
  const demandW = Math.min(Math.max(asked, open ? 0 : leastW(aim)), limits.maxW);
  const full = !open && free >= high && error > 0.3 && factor === 1 && (state.drawnW ?? 0) > 0.85 * high;
  const answer: ControlState = {
    ...state,
    by: 'room',
    integralW,
    bumpW,
    targetC,
    demandW,
    pace: open ? untimed(pace) : timed(pace, ms, c, error, full),
    swing: swung(state.swing, ms, open || fresh || factor !== 1 ? undefined : error),
    response: fresh ? excited(state.response) : state.response,
  };
  return {
    state: answer,
    demandW,
    action: demandW > limits.minW + 0.5 ? 'heating' : 'idle',
    err: open ? 'a window seems to be open: heat is held back until it gets warmer, half an hour at most' : '',
  };
}
