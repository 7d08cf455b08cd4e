/**
 * The loop that keeps the whole machine at a level: what is busy outside of the heat group is measured and smoothed, the
 * group gets the rest. Inside, tasks come first, then the filler, then the burner; weights of groups only count where
 * they meet on one core, so each gets as quota what those before it leave. Pure.
 */
export interface Used {
  /** Cores, since the last look. */
  readonly tasks: number;
  readonly filler: number;
  readonly burner: number;
}

export interface Loop {
  /** Cores busy outside, smoothed; undefined before the first look. */
  readonly outside: number | undefined;
  /** Corrects what quotas are off by, cores. */
  readonly trim: number;
  /** What tasks and filler use, smoothed: what comes after them gets the rest. */
  readonly tasks: number;
  readonly filler: number;
  /** What all three use, smoothed over a few seconds. */
  readonly heat: number;
}

export const freshLoop: Loop = { outside: undefined, trim: 0, tasks: 0, filler: 0, heat: 0 };

export interface LoopInput {
  /** Busy cores asked for, everything counted. */
  readonly cores: number;
  /** Of these, what the temperature allows for heat. */
  readonly most: number;
  /** The machine's. */
  readonly machine: number;
  readonly busy: number;
  readonly used: Used;
  /** The group as a whole wanted more than it had. */
  readonly throttled: boolean;
  /** Something makes up what is missing: a shortfall is the loop's own then. */
  readonly fills: boolean;
  readonly dtS: number;
}

export interface Shares {
  /** Of everything in the heat group, cores. */
  readonly total: number;
  readonly filler: number;
  readonly burner: number;
}

/** The last part of a machine is never filled: it tells whether somebody outside wants more. */
const brim = 0.02;
/** Of the quota that is set. */
const still = 0.01;
const outsideS = 3;
const insideS = 2;
const shownS = 5;
const trimPerS = 0.15;
const mostTrim = 0.1;

/** Of an exponential mean with this time constant, the weight of a new value. */
const weight = (dtS: number, constantS: number): number => 1 - Math.exp(-Math.max(0, dtS) / constantS);
const mix = (before: number, now: number, share: number): number => before + (now - before) * share;
const within = (value: number, least: number, most: number): number =>
  Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : least;

/** What is asked for, as far as the machine has it. */
export const levelOf = (cores: number, machine: number): number => within(cores, 0, Math.max(0, machine) * (1 - brim));

export function look(before: Loop, input: LoopInput): Loop {
  const { machine, dtS } = input;
  const used = {
    tasks: within(input.used.tasks, 0, machine),
    filler: within(input.used.filler, 0, machine),
    burner: within(input.used.burner, 0, machine),
  };
  const heat = used.tasks + used.filler + used.burner;
  const busy = within(input.busy, 0, machine);
  const outsideNow = within(busy - heat, 0, machine);
  const outside = before.outside === undefined ? outsideNow : mix(before.outside, outsideNow, weight(dtS, outsideS));
  const level = levelOf(input.cores, machine);
  // Only where the group is what makes the difference: it has room below what is allowed, and uses what it is given.
  const steers = input.fills && input.most >= level && level - outside > 0;
  const trim = steers ? mix(before.trim, before.trim + (level - outside - heat), trimPerS * Math.min(1, dtS)) : 0;
  const bound = mostTrim * Math.max(0.5, level);
  return {
    outside,
    // Beyond the level nothing is given: what would only be saved up for later is not.
    trim: within(trim, -bound, Math.min(bound, outside)),
    tasks: mix(before.tasks, used.tasks, weight(dtS, insideS)),
    filler: mix(before.filler, used.filler, weight(dtS, insideS)),
    heat: mix(before.heat, heat, weight(dtS, shownS)),
  };
}

export interface ShareInput extends Pick<LoopInput, 'cores' | 'most' | 'machine' | 'throttled'> {
  /** The total as it is set, cores. */
  readonly set: number;
}

/** Never more than is asked for, than is allowed, or than the machine has. */
export function share(loop: Loop, input: ShareInput): Shares {
  const level = levelOf(input.cores, input.machine);
  const allowed = Math.min(level, input.most);
  const total = steady(
    within(level - (loop.outside ?? level) + loop.trim, 0, Math.max(0, allowed)),
    allowed,
    input.set,
  );
  // Whoever wanted more than there was is made room for; that it is not wanted after all shows a second later.
  const room = (used: number) => (used > 0.01 && input.throttled ? 0.05 + 0.1 * used : 0);
  const tasks = Math.min(total, loop.tasks + room(loop.tasks));
  const filler = Math.max(0, total - tasks);
  const burner = Math.max(0, filler - loop.filler - room(loop.filler));
  return { total, filler, burner };
}

/**
 * Whenever a quota is written, the kernel fills it up anew, in the midst of a period too (tg_set_cfs_bandwidth): written
 * each second, a group gets some 5 % too much. So it is left alone while it is nearly right, and allowed.
 */
function steady(total: number, allowed: number, set: number): number {
  const near = total > 0 && set > 0 && Math.abs(total - set) < still * Math.max(total, set);
  return near && set <= allowed ? set : total;
}

/** So many tasks came in and are made room for at once. */
export const expect = (loop: Loop, cores: number): Loop => ({ ...loop, tasks: Math.max(loop.tasks, cores) });
