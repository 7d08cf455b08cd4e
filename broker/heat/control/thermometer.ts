/**
 * Judges a room's thermometer: may this room be heated by it? Pure; not kept over a restart, since the first reading after
 * one is as good as any. Whoever is not sure gets no heat: every doubt is a sentence in {@link Sensed}.
 *
 * - **stale**: no reading for `stale_min` of the room.
 * - **out of range**: below -30 or above 60 °C is what broken sensors say (a DS18B20 that lost its power says 85, one that is
 *   not there -127: Maxim DS18B20 data sheet, "power-on reset value", and the Linux driver); below 0 or above 45 °C is no
 *   room that people want a heater in.
 * - **jumped**: the air of a room falls by 3 °C in the first minute at the very most (15 °C colder outside, window wide open, a sensor
 *   with the shortest time constant on the market, about 5 minutes: 15 / 5). What jumped further counts when two more
 *   readings, over a minute or longer, agree with it: somebody carried the thermometer elsewhere.
 * - **frozen**: the same value to the last digit, while the heat changed so much that the room must have answered. How much
 *   is energy over heat capacity: a heavy room of 20 m² keeps at most 2 kWh/K (ISO 13790:2008, table 12, class "very heavy":
 *   370 kJ/K per m² floor). Three hours of heat that are 2 kWh off the three hours before move it by 1 °C, which two steps of the coarsest
 *   usual sensor (0.5 °C) show; sensors of 0.1 °C steps show half of that five times over. Slow changes with the weather do not
 *   reach it, so a coarse sensor in a room that is kept well is not called frozen; one that reports only on change says
 *   nothing while nothing changes, and gets stale instead.
 */
import type { Sensed } from '../types.ts';

export const sensorLimits = {
  brokenBelowC: -30,
  brokenAboveC: 60,
  absurdBelowC: 0,
  absurdAboveC: 45,
  /** A jump that is possible at once, and what may be added per further minute of silence. */
  jumpC: 3,
  jumpCPerMin: 1,
  /** Readings that agree, and over how long, until a jump is believed. */
  confirmReadings: 3,
  confirmMs: 60_000,
  agreeC: 1,
  slotMs: 30 * 60_000,
  /** Slots compared: the last three hours with the three before. */
  slots: 6,
  /** Same value for at least so long. */
  sameMs: 3.5 * 3_600_000,
  heavyWhPerK: 2000,
  /** A thermometer that never made a smaller step in so many. */
  coarseC: 0.25,
  coarseSteps: 8,
} as const;

interface Candidate {
  readonly c: number;
  readonly sinceMs: number;
  readonly count: number;
}

export interface ThermometerState {
  /** The last reading that counts. */
  readonly good?: { readonly c: number; readonly atMs: number };
  /** The newest reading's time, good or not: older ones are late and say nothing. */
  readonly newestMs?: number;
  /** The newest reading as it was told: told again it is no other. */
  readonly said?: { readonly atMs: number; readonly c: number };
  /** Why the newest reading does not count. */
  readonly refused?: string;
  readonly jumped?: Candidate;
  /** Since when it is the same value. */
  readonly sameSinceMs?: number;
  /** The smallest step it was seen to make, and how many. */
  readonly stepC?: number;
  readonly steps?: number;
  /** What it said before this value. */
  readonly fromC?: number;
  /** Mean watts of the last half hours, the newest last, and the one that is running. */
  readonly slots: readonly number[];
  readonly slot?: { readonly fromMs: number; readonly atMs: number; readonly wMs: number };
}

export const freshThermometer = (): ThermometerState => ({ slots: [] });

export interface Reading {
  readonly now: number;
  /** When it was measured, on the clock of `now`. */
  readonly atMs: number;
  readonly c: number;
}

const shown = (c: number): string => String(Math.round(c * 100) / 100);

function outOfRange(c: number): string | undefined {
  const l = sensorLimits;
  if (!Number.isFinite(c)) return 'the thermometer sends something that is no number: look at its topic and template';
  if (c < l.brokenBelowC || c > l.brokenAboveC)
    return `the thermometer says ${shown(c)} °C, as a broken or missing sensor does: look at its cable or battery`;
  if (c < l.absurdBelowC || c > l.absurdAboveC)
    return `the thermometer says ${shown(c)} °C, which no heated room has: look at the sensor and its template`;
  return undefined;
}

/**
 * A reading came in, or is told again. Late ones (older than the newest) and the same one again are left out; one from the future
 * counts as of now, once.
 */
export function read(state: ThermometerState, { now, atMs: saidMs, c }: Reading): ThermometerState {
  if (state.said !== undefined && Object.is(state.said.atMs, saidMs) && Object.is(state.said.c, c)) return state;
  const atMs = Number.isFinite(saidMs) ? Math.min(saidMs, now) : now;
  if (state.newestMs !== undefined && atMs < state.newestMs) return state;
  return judged({ ...state, said: { atMs: saidMs, c } }, atMs, c);
}

function judged(state: ThermometerState, atMs: number, c: number): ThermometerState {
  const wrong = outOfRange(c);
  if (wrong !== undefined) return { ...without(state, 'jumped'), newestMs: atMs, refused: wrong };
  const { good } = state;
  if (good === undefined) return accept(state, atMs, c);
  // Of silence: what was refused meanwhile makes no jump more likely.
  const minutes = Math.max(0, (atMs - (state.newestMs ?? atMs)) / 60_000 - 1);
  const possible = sensorLimits.jumpC + sensorLimits.jumpCPerMin * minutes;
  if (Math.abs(c - good.c) <= possible) return accept(state, atMs, c);
  return doubt(state, good.c, atMs, c);
}

function doubt(state: ThermometerState, fromC: number, atMs: number, c: number): ThermometerState {
  const { jumped } = state;
  const agrees = jumped !== undefined && Math.abs(c - jumped.c) <= sensorLimits.agreeC;
  // The same moment twice is one reading and confirms nothing.
  const again = agrees && atMs === state.newestMs;
  const count = agrees ? jumped.count + (again ? 0 : 1) : 1;
  const sinceMs = agrees ? jumped.sinceMs : atMs;
  if (count >= sensorLimits.confirmReadings && atMs - sinceMs >= sensorLimits.confirmMs) return accept(state, atMs, c);
  const refused = `the thermometer jumped from ${shown(fromC)} to ${shown(c)} °C, faster than a room can: waiting for more readings that agree`;
  return { ...state, newestMs: atMs, refused, jumped: { c: agrees ? jumped.c : c, sinceMs, count } };
}

function accept(state: ThermometerState, atMs: number, c: number): ThermometerState {
  const { good, stepC } = state;
  const step = good === undefined ? 0 : Math.abs(c - good.c);
  const same = good !== undefined && step === 0;
  return {
    ...without(without(state, 'refused'), 'jumped'),
    good: { c, atMs },
    newestMs: atMs,
    sameSinceMs: same ? (state.sameSinceMs ?? atMs) : atMs,
    ...(good !== undefined &&
      step > 0.001 && {
        stepC: Math.min(step, stepC ?? step),
        steps: Math.min(1000, (state.steps ?? 0) + 1),
        fromC: good.c,
      }),
  };
}

function without<K extends keyof ThermometerState>(state: ThermometerState, key: K): Omit<ThermometerState, K> {
  const { [key]: _gone, ...rest } = state;
  return rest;
}

/** What was drawn since the last look, as means of half hours. A gap begins them anew: nobody knows what was heated in it. */
export function heated(state: ThermometerState, now: number, heatedW: number): ThermometerState {
  const w = Number.isFinite(heatedW) && heatedW > 0 ? heatedW : 0;
  const { slot } = state;
  if (slot === undefined || now < slot.atMs || now - slot.atMs > sensorLimits.slotMs) {
    return { ...state, slots: [], slot: { fromMs: now, atMs: now, wMs: 0 } };
  }
  const wMs = slot.wMs + w * (now - slot.atMs);
  if (now - slot.fromMs < sensorLimits.slotMs) return { ...state, slot: { ...slot, atMs: now, wMs } };
  const slots = [...state.slots, wMs / (now - slot.fromMs)].slice(-2 * sensorLimits.slots);
  return { ...state, slots, slot: { fromMs: now, atMs: now, wMs: 0 } };
}

/** By how many Wh the last three hours differ from the three before. */
function changedWh({ slots }: ThermometerState): number {
  const half = sensorLimits.slots;
  if (slots.length < 2 * half) return 0;
  const sum = (part: readonly number[]) => part.reduce((all, w) => all + w, 0);
  return (Math.abs(sum(slots.slice(half)) - sum(slots.slice(0, half))) * sensorLimits.slotMs) / 3_600_000;
}

function isFrozen(state: ThermometerState): boolean {
  const { good, sameSinceMs, stepC = 0.5 } = state;
  if (good === undefined || sameSinceMs === undefined || good.atMs - sameSinceMs < sensorLimits.sameMs) return false;
  const visibleC = Math.max(0.5, 2 * Math.min(stepC, 0.5));
  return changedWh(state) >= visibleC * sensorLimits.heavyWhPerK;
}

/**
 * May the room be heated by this thermometer now? To be asked every few seconds with the watts that the room's machines draw:
 * the state that comes back remembers them.
 */
export function sense(
  before: ThermometerState,
  now: number,
  staleMs: number,
  heatedW: number,
): { readonly state: ThermometerState; readonly sensed: Sensed } {
  const state = heated(before, now, heatedW);
  return { state, sensed: judge(state, now, staleMs) };
}

/** Where a coarse thermometer knows more than it says: it has just gone over the line between two of its steps. */
function edgeOf({ good, stepC = 0, steps = 0, fromC, sameSinceMs }: ThermometerState, now: number) {
  if (stepC < sensorLimits.coarseC || steps < sensorLimits.coarseSteps) return undefined;
  if (good === undefined || fromC === undefined || sameSinceMs === undefined) return undefined;
  return { c: good.c - (Math.sign(good.c - fromC) * stepC) / 2, agoS: Math.max(0, (now - sameSinceMs) / 1000) };
}

function judge(state: ThermometerState, now: number, staleMs: number): Sensed {
  const { good, newestMs, refused } = state;
  const no = (why: string): Sensed => ({
    ok: false,
    why,
    ...(newestMs !== undefined && { ageS: Math.max(0, (now - newestMs) / 1000) }),
  });
  if (newestMs === undefined) return no('no thermometer has said anything yet');
  if (!(now - newestMs <= staleMs)) {
    const minutes = Math.floor((now - newestMs) / 60_000);
    return no(`the thermometer has said nothing for ${minutes} minutes: look at its battery and radio`);
  }
  if (refused !== undefined) return no(refused);
  if (good === undefined) return no('no thermometer has said anything yet');
  if (isFrozen(state)) {
    return no(
      `the thermometer stays at exactly ${shown(good.c)} °C though the heat changed a lot: it is stuck, restart it`,
    );
  }
  const edge = edgeOf(state, now);
  return { ok: true, c: good.c, ageS: Math.max(0, (now - good.atMs) / 1000), ...(edge && { edge }) };
}
