/**
 * Which machines of one room run: as few changes as can be. Those that run stay; one more starts when they cannot give what is
 * asked; one less runs when the others could give it with a quarter of it to spare, for ten minutes and longer the more often it
 * started today. From its fourth start on a machine is not stopped before a day has passed since the first of these: it
 * runs at its floor, a hundredth of its range, which is next to nothing. Only a bound or `off` stops it then. Pure.
 */
import { firstOf, type Machine } from './machine.ts';
import { type NodeRecord, type RoomRecord, turned } from './state.ts';

const startsPerDay = 4;
/** Who was stopped by bounds so often that its starts are used up pauses at least so long. */
const usedUpMs = 3_600_000;
/** So much may be missing before another one starts: a share of what is asked, and watts. */
export const missingShare = 0.04;
const missingW = 2;
const tiny = 1e-6;
const spareShare = 0.25;
const minute = 60_000;
/** What must go on that long, by the starts of the last day, before one is spared. */
const spareMs = [10 * minute, 10 * minute, 30 * minute, 120 * minute];
/** The same when nothing is asked for at all. */
const nothingMs = [0, 0, 10 * minute, 60 * minute];
/** Work waits that long for a machine that is off, while others make heat of nothing. */
const workMs = 10 * minute;
const workStartsPerDay = 2;

export interface Asked {
  /** Heat that the room is to give above what its machines draw anyway; below 0: they draw too much already. */
  readonly needW: number;
  /** What the room asked for, everything counted. */
  readonly demandW: number;
  /** Heat that bounds allow: it may be that not even floors fit. */
  readonly mostW: number;
}

export interface Chosen {
  readonly running: readonly Machine[];
  readonly room: RoomRecord;
}

const sum = (machines: readonly Machine[], key: 'capW' | 'floorW') => machines.reduce((all, one) => all + one[key], 0);

export function mayStart(machine: Machine, record: NodeRecord, now: number): boolean {
  if (!machine.able || record.on || machine.capW < machine.floorW * 2 || machine.capW <= 0) return false;
  const pause = record.starts.length >= startsPerDay ? Math.max(machine.minOffMs, usedUpMs) : machine.minOffMs;
  return record.since === undefined || now - record.since >= pause;
}

/**
 * @param records changed in place: who starts and stops
 * @param mayStartOne takes one start of those that may happen now
 */
export function choose(
  machines: readonly Machine[],
  records: Map<string, NodeRecord>,
  before: RoomRecord,
  { needW, demandW, mostW }: Asked,
  now: number,
  mayStartOne: () => boolean,
): Chosen {
  const record = (machine: Machine) => records.get(machine.node) as NodeRecord;
  const turn = (machine: Machine, on: boolean) => records.set(machine.node, turned(record(machine), on, now));
  const order = machines.toSorted(firstOf);
  for (const machine of order) if (record(machine).on && !machine.able) turn(machine, false);
  let running = order.filter(machine => record(machine).on);

  // A bound below what they draw at their least: the last in order first.
  while (running.length > 0 && sum(running, 'floorW') > mostW + tiny) {
    turn(running.at(-1) as Machine, false);
    running = running.slice(0, -1);
  }

  const missing = Math.max(missingW, missingShare * demandW);
  const usedUp = (machine: Machine) => Number(record(machine).starts.length >= startsPerDay);
  const waiting = order
    .filter(machine => mayStart(machine, record(machine), now))
    .sort((a, b) => usedUp(a) - usedUp(b) || firstOf(a, b));
  for (const machine of waiting) {
    const lacks = needW - sum(running, 'capW');
    if (lacks <= missing) break;
    if (lacks < machine.floorW || !mayStartOne()) continue;
    turn(machine, true);
    running = [...running, machine].sort(firstOf);
  }

  const workAt = workWaits(running, waiting, needW) ? (before.workAt ?? now) : undefined;
  if (workAt !== undefined && now - workAt >= workMs) {
    const room = needW - sum(running, 'floorW');
    const willing = waiting.find(
      one => one.useful && !record(one).on && record(one).starts.length < workStartsPerDay && one.floorW <= room,
    );
    if (willing && mayStartOne()) {
      turn(willing, true);
      running = [...running, willing].sort(firstOf);
    }
  }

  const spare = (machine: Machine) => {
    const others = sum(running, 'capW') - machine.capW;
    return others > 0 ? needW < others - spareShare * Math.min(others, machine.capW) : needW <= 0;
  };
  const spareAt = running.some(spare) ? (before.spareAt ?? now) : undefined;
  if (spareAt !== undefined)
    for (const machine of running.toReversed()) {
      const { since = 0, starts } = record(machine);
      const hold = (demandW > 0 ? spareMs : nothingMs)[starts.length] ?? Number.POSITIVE_INFINITY;
      if (!spare(machine) || now - since < machine.minOnMs || now - spareAt < hold) continue;
      turn(machine, false);
      running = running.filter(one => one !== machine);
    }
  return {
    running,
    room: { ...(spareAt === undefined ? {} : { spareAt }), ...(workAt === undefined ? {} : { workAt }) },
  };
}

/** Heat is made of nothing by one that runs, and one that could run has work. */
function workWaits(running: readonly Machine[], waiting: readonly Machine[], needW: number): boolean {
  return (
    needW > missingW &&
    running.length > 0 &&
    running.every(one => !one.useful) &&
    waiting.some(one => one.useful && one.floorW <= needW)
  );
}
