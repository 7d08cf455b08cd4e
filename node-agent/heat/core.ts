/**
 * What a node does for heat, as a pure state machine. In prose:
 *
 * - An order is a lease: from its arrival on, for its seconds, counted on a clock that includes suspend. Without a lease
 *   there is no heat, whatever else happens; none begins but by an order.
 * - While it runs, a look each second gives the group its share (loop.ts), less what the temperature forbids (thermal.ts).
 * - Of the share, tasks of class `heat` come first: as many run as there are cores for, the others are frozen. Then the
 *   filler, then the burner, for what is missing.
 * - Where nothing enforces quotas, whole tasks are let run so that their mean is the share, and change seldom.
 * - A filler that stands in the last order but has no share is frozen, not ended: only another order ends it.
 */
import type { HeatOrder } from '../../shared/schemas/heat.ts';
import type { Filler } from '../../shared/schemas/room.ts';
import { expect, freshLoop, type Loop, levelOf, look, share, type Used } from './loop.ts';
import type { MachineNow } from './side.ts';
import { coolThermal, type Thermal, thermal } from './thermal.ts';

export interface Ordered {
  readonly cores: number;
  readonly maxTempC: number;
  readonly filler?: Filler;
  readonly burner: boolean;
}

export const orderedOf = ({ cores, max_temp_c, burner }: HeatOrder, filler: Filler | undefined): Ordered => ({
  ...{ cores, maxTempC: max_temp_c, burner },
  ...(filler === undefined ? {} : { filler }),
});

/** What is to be now. All zero: no heat. */
export interface Setting {
  /** Of all in the heat group together, cores. */
  readonly total: number;
  /** Tasks of class `heat` that may run at a time. */
  readonly tasks: number;
  /** Cores that the filler may use; 0: it is frozen. */
  readonly filler: number;
  /** Cores that the burner is to make busy. */
  readonly burner: number;
}

export interface HeatState {
  readonly order: Ordered | undefined;
  /** End of the lease, ms of the clock that includes suspend. */
  readonly until: number;
  readonly loop: Loop;
  /** The group wanted more than it had. */
  readonly throttled: boolean;
  readonly thermal: Thermal;
  /** Tasks of class `heat` that have begun, frozen or not, and that wait. */
  readonly running: number;
  readonly waiting: number;
  readonly setting: Setting;
  readonly lookedAt: number | undefined;
  /** Where nothing enforces quotas: core seconds owed to tasks, and when their number changed last. */
  readonly owed: number;
  readonly tasksAt: number;
}

/** Cores since the last look; tasks may be in no group that measures them. */
export type Measured = Omit<Used, 'tasks'> & { readonly tasks?: number };

export type HeatEvent =
  | { readonly type: 'order'; readonly order: Ordered; readonly leaseMs: number }
  | { readonly type: 'look'; readonly machine: MachineNow; readonly used: Measured; readonly throttled: boolean }
  | { readonly type: 'tasks'; readonly running: number; readonly waiting: number }
  | { readonly type: 'time' };

export type HeatEffect =
  /** Before anything is let run under it. */
  | { readonly do: 'lease'; readonly until: number }
  | { readonly do: 'set'; readonly setting: Setting; readonly filler: Filler | undefined };

export interface Around {
  /** The machine's cores. */
  readonly cores: number;
  /** Whether a group's quota holds all of the heat together. */
  readonly quota: boolean;
}

const nothing: Setting = { total: 0, tasks: 0, filler: 0, burner: 0 };
/** Less is not worth a process. */
const least = 0.02;
/** Whole tasks are frozen and thawed no more often than this. */
const tasksEveryMs = 10_000;
/** Core seconds. */
const mostOwed = 10;

export const coldHeat: HeatState = {
  order: undefined,
  until: Number.NEGATIVE_INFINITY,
  loop: freshLoop,
  throttled: false,
  thermal: coolThermal,
  ...{ running: 0, waiting: 0, setting: nothing, lookedAt: undefined },
  ...{ owed: 0, tasksAt: Number.NEGATIVE_INFINITY },
};

/** Whether a lease runs and asks for heat. */
export const isAsked = ({ order, until }: HeatState, now: number): boolean =>
  order !== undefined && order.cores > 0 && now < until;

export interface Stepped {
  readonly state: HeatState;
  readonly effects: readonly HeatEffect[];
}

/** @param now ms of a clock that includes suspend. */
export function step(before: HeatState, event: HeatEvent, now: number, around: Around): Stepped {
  switch (event.type) {
    case 'order':
      return onOrder(before, event.order, now + Math.max(0, event.leaseMs), now, around);
    case 'look':
      return settled(onLook(before, event, now, around), now, around, []);
    case 'tasks': {
      const more = event.running + event.waiting - before.running - before.waiting;
      const state = { ...before, running: event.running, waiting: event.waiting };
      const loop =
        more > 0 ? expect(before.loop, Math.min(before.setting.total, event.running + event.waiting)) : before.loop;
      return settled({ ...state, loop }, now, around, []);
    }
    case 'time':
      return settled(before, now, around, []);
  }
}

function onOrder(before: HeatState, order: Ordered, until: number, now: number, around: Around): Stepped {
  const goesOn = isAsked(before, now);
  const same = goesOn && before.order?.cores === order.cores;
  const state: HeatState = {
    ...before,
    order,
    until: order.cores > 0 ? until : Number.NEGATIVE_INFINITY,
    // What was measured without heat says nothing of what is missing now; the temperature is what it was.
    loop: goesOn ? { ...before.loop, trim: same ? before.loop.trim : 0 } : freshLoop,
    lookedAt: goesOn ? before.lookedAt : undefined,
  };
  return settled(state, now, around, [{ do: 'lease', until: state.until }]);
}

function onLook(
  before: HeatState,
  { machine, used, throttled }: Extract<HeatEvent, { type: 'look' }>,
  now: number,
  { cores }: Around,
): HeatState {
  const { order } = before;
  if (!order || !isAsked(before, now)) return before;
  const dtS = before.lookedAt === undefined ? 1 : Math.min(10, Math.max(0.1, (now - before.lookedAt) / 1000));
  const warm = thermal(before.thermal, machine.tempC, order.maxTempC, dtS);
  // Where no group measures them, each counts as one core.
  const tasks = used.tasks ?? Math.min(before.running, before.setting.tasks);
  const loop = look(before.loop, {
    ...{ cores: order.cores, most: order.cores * warm.share, machine: cores },
    ...{ busy: machine.busyCores, used: { ...used, tasks }, throttled, dtS },
    fills: order.burner || throttled,
  });
  const owed = before.owed + (before.setting.total - tasks) * dtS;
  return {
    ...before,
    loop,
    throttled,
    thermal: warm,
    lookedAt: now,
    owed: Math.min(mostOwed, Math.max(-mostOwed, owed)),
  };
}

/** What is to be, worked out anew; told where it is another than before. */
function settled(state: HeatState, now: number, around: Around, effects: readonly HeatEffect[]): Stepped {
  const setting = settingOf(state, now, around);
  const tasksAt = setting.tasks === state.setting.tasks ? state.tasksAt : now;
  const told: readonly HeatEffect[] =
    effects.length > 0 || !isSame(setting, state.setting)
      ? [...effects, { do: 'set', setting, filler: state.order?.filler }]
      : [];
  return { state: { ...state, setting, tasksAt }, effects: told };
}

function settingOf(state: HeatState, now: number, around: Around): Setting {
  const { order, loop, throttled } = state;
  if (!order || !isAsked(state, now)) return nothing;
  const most = order.cores * state.thermal.share;
  const { total, filler, burner } = share(loop, {
    ...{ cores: order.cores, most, machine: around.cores, throttled },
    set: state.setting.total,
  });
  if (total < least) return nothing;
  return {
    total: rounded(total),
    tasks: around.quota
      ? tasksUnder(Math.min(most, levelOf(order.cores, around.cores)))
      : wholeTasks(state, total, now),
    filler: order.filler !== undefined && filler >= least ? rounded(filler) : 0,
    burner: order.burner && burner >= least ? rounded(burner) : 0,
  };
}

/** Enough to use up a quota, and not another number with every breath of the machine. */
const tasksUnder = (cores: number): number => Math.max(1, Math.ceil(cores - 0.05));

/** One more or one less than the share, in turn. */
function wholeTasks({ owed, tasksAt, setting, running, waiting }: HeatState, total: number, now: number): number {
  const below = Math.floor(total + 0.02);
  if (running + waiting === 0) return Math.max(1, below);
  const next = owed > 0 ? Math.ceil(total - 0.02) : below;
  const due = now - tasksAt >= tasksEveryMs || setting.tasks > Math.ceil(total) || setting.tasks < below;
  return due ? next : setting.tasks;
}

/** Microseconds of a period of 100 ms are no finer. */
const rounded = (cores: number): number => Math.floor(cores * 1000) / 1000;

const isSame = (one: Setting, other: Setting): boolean =>
  one.total === other.total && one.tasks === other.tasks && one.filler === other.filler && one.burner === other.burner;
