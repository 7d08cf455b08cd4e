/**
 * What a room is to be at a moment: its document with schedule, people's words, presets, quiet hours and rules worked out.
 * Pure. What the week says is worked out when it changes; rules are asked every time, since what they ask about changes
 * by itself.
 */
import type { Facts } from '../../../shared/jobs/where.ts';
import { roomDefaults, roomLimits } from '../../../shared/schemas/room.ts';
import type { RoomAim } from '../types.ts';
import type { RoomEntry } from './entry.ts';
import { type InForce, inForce, quietAt } from './in-force.ts';
import { type CompiledRule, compileRules, type RuleName } from './rules.ts';
import { daysAround } from './timetable.ts';
import { knownZone, type Zone, zoneOf } from './zone.ts';

/** What is known at a moment. What is not known makes no rule true that asks for it. */
export interface Circumstances {
  /** Epoch ms. */
  readonly wall: number;
  readonly tempC?: number | undefined;
  readonly outdoorC?: number | undefined;
  readonly price?: number | undefined;
  readonly surplusW?: number | undefined;
  /** Zone of rooms that name none; default: this process's. */
  readonly tz?: string | undefined;
}

/** Where neither document nor rule bounds the room. */
export const mostW = 100_000;
/** What rules may make of the watts together. */
const mostFactor = 4;
/** Below the hard limit, so that a target cannot reach it. */
const belowLimitC = 0.5;

/** What the week says, until it says something else. */
interface Phase extends InForce {
  readonly quiet: boolean;
}

interface Plan {
  readonly zone: Zone;
  readonly rules: readonly CompiledRule[];
  phase?: Phase;
}

const ownZone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
/** An entry does not change; a changed room has another. */
const plans = new WeakMap<RoomEntry, Map<string, Plan>>();

function planOf(entry: RoomEntry, tz: string): Plan {
  const name = entry.document.tz ?? tz;
  const all = plans.get(entry) ?? new Map<string, Plan>();
  plans.set(entry, all);
  const found = all.get(name);
  if (found) return found;
  // Checked when they were accepted: one that this version does not understand any more says nothing.
  const rules = (entry.document.rules ?? []).flatMap(rule => {
    const compiled = compileRules([rule]);
    return compiled.ok ? compiled.value : [];
  });
  const plan: Plan = { zone: knownZone(name) ?? zoneOf(tz), rules };
  all.set(name, plan);
  return plan;
}

function phaseOf(plan: Plan, entry: RoomEntry, wall: number): Phase {
  const { phase } = plan;
  if (phase && phase.while[0] <= wall && wall < phase.while[1]) return phase;
  const days = daysAround(entry.document, plan.zone, wall);
  const said = inForce(entry, days, wall);
  const hush = quietAt(days, wall);
  const from = Math.max(said.while[0], hush.while[0]);
  const to = Math.min(said.while[1], hush.while[1]);
  plan.phase = { ...said, quiet: hush.quiet, while: [from, to] };
  return plan.phase;
}

/** @param now what is known: numbers that are not finite count as not known. */
export function aimOf(room: string, entry: RoomEntry, now: Circumstances): RoomAim {
  const { document } = entry;
  const plan = planOf(entry, now.tz ?? ownZone);
  const { mode, preset, targetC, quiet } = phaseOf(plan, entry, now.wall);
  const moved = mode === 'heat' ? ruled(plan, now, targetC) : unmoved;
  const limitC = document.limit_c ?? roomDefaults.limit_c;
  const maxW = Math.min(document.max_w ?? mostW, moved.maxW);
  const warmest = Math.min(roomLimits.warmest, limitC - belowLimitC);
  return {
    room,
    targetC: mode === 'off' ? undefined : Math.min(warmest, Math.max(roomLimits.coldest, targetC + moved.addC)),
    shownC: targetC,
    preset,
    mode,
    limitC,
    maxW,
    minW: Math.min(maxW, moved.minW),
    factor: moved.factor,
    priority: document.priority ?? roomDefaults.priority,
    quiet,
  };
}

/**
 * When the aim becomes another by itself, epoch ms: an entry of the schedule, the end of a boost or of a quiet time, a new
 * hour where a rule asks for it. It is never later than the end of the day.
 */
export function nextAim(entry: RoomEntry, wall: number, tz: string = ownZone): number {
  const plan = planOf(entry, tz);
  const until = phaseOf(plan, entry, wall).while[1];
  if (!plan.rules.some(({ asks }) => asks.has('hour'))) return until;
  const { day, minute } = plan.zone.local(wall);
  const hour = plan.zone.first(day, (Math.floor(minute / 60) + 1) * 60);
  // Where the clock is put back, the hour that comes next was there before.
  return Math.min(until, hour > wall ? hour : wall + (60 - (minute % 60)) * 60_000 - (wall % 60_000));
}

const unmoved = { addC: 0, factor: 1, minW: 0, maxW: mostW };

/** What all rules that are true come to. */
function ruled({ rules, zone }: Plan, now: Circumstances, targetC: number): typeof unmoved {
  if (rules.length === 0) return unmoved;
  const facts = factsOf(now, targetC, zone);
  let { addC, factor, minW, maxW } = unmoved;
  for (const { rule, test } of rules) {
    if (!test(facts)) continue;
    addC += rule.add_c ?? 0;
    factor *= (rule.demand_pct ?? 100) / 100;
    maxW = Math.min(maxW, rule.max_w ?? mostW);
    const least = rule.min_w === 'surplus_w' ? Number(facts.surplus_w ?? 0) : (rule.min_w ?? 0);
    minW = Math.max(minW, Math.min(least, mostW));
  }
  return { addC, factor: Math.min(factor, mostFactor), minW, maxW };
}

function factsOf({ wall, tempC, outdoorC, price, surplusW }: Circumstances, targetC: number, zone: Zone): Facts {
  const known: { readonly [K in RuleName]: number | undefined } = {
    ...{ price, surplus_w: surplusW, temp_c: tempC, outdoor_c: outdoorC, target_c: targetC },
    hour: Math.floor(zone.local(wall).minute / 60),
  };
  return Object.fromEntries(
    Object.entries(known).filter((one): one is [string, number] => one[1] !== undefined && Number.isFinite(one[1])),
  );
}
