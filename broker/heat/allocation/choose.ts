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
/** The same when it is missing for ten minutes. */
const littleShare = 0.01;
const littleW = 1;
const tiny = 1e-6;
const spareShare = 0.25;
const minute = 60_000;
const lackMs = 10 * minute;
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
  /** When a person last said how warm it is to be. */
  readonly saidAt?: number | undefined;
}

export interface Chosen {
  readonly running: readonly Machine[];
  readonly room: RoomRecord;
}

/**
 * Rests are there against switching to and fro by thermometers. A person who says a new temperature wants to see it done: who was
 * stopped before that, and only because it was not needed, need not rest. Once for each word, and as often in a day as it may start anyway.
 */
export function mayStart(machine: Machine, record: NodeRecord, now: number, saidAt?: number): boolean {
  if (!machine.able || record.on || machine.capW < machine.floorW * 2 || machine.capW <= 0) return false;
  const { since, spared, starts } = record;
  if (since === undefined) return true;
  const usedUp = starts.length >= startsPerDay;
  if (spared && !usedUp && saidAt !== undefined && saidAt > since && saidAt <= now) return true;
  return now - since >= (usedUp ? Math.max(machine.minOffMs, usedUpMs) : machine.minOffMs);
}

/**
 * @param records changed in place: who starts and stops
 * @param mayStartOne takes one start of those that may happen now
 */
export function choose(
  machines: readonly Machine[],
  records: Map<string, NodeRecord>,
  before: RoomRecord,
  asked: Asked,
  now: number,
  mayStartOne: () => boolean,
): Chosen {
  const choice = new Choice(machines, records, asked, now, mayStartOne);
  choice.stopUnable();
  const lackAt = choice.startMissing(before.lackAt);
  const workAt = choice.startUseful(before.workAt);
  const spareAt = choice.stopSpare(before.spareAt);
  const since = { lackAt, workAt, spareAt };
  const room = Object.fromEntries(Object.entries(since).filter(([, at]) => at !== undefined));
  return { running: choice.running, room };
}

class Choice {
  running: readonly Machine[];
  readonly #order: readonly Machine[];
  readonly #records: Map<string, NodeRecord>;
  readonly #asked: Asked;
  readonly #now: number;
  readonly #mayStartOne: () => boolean;

  constructor(
    machines: readonly Machine[],
    records: Map<string, NodeRecord>,
    asked: Asked,
    now: number,
    mayStartOne: () => boolean,
  ) {
    this.#order = machines.toSorted(firstOf);
    this.#records = records;
    this.#asked = asked;
    this.#now = now;
    this.#mayStartOne = mayStartOne;
    this.running = this.#order.filter(machine => this.#record(machine).on);
  }

  #record(machine: Machine): NodeRecord {
    return this.#records.get(machine.node) as NodeRecord;
  }

  #turn(machine: Machine, on: boolean): void {
    this.#records.set(machine.node, turned(this.#record(machine), on, this.#now));
    const others = this.running.filter(one => one !== machine);
    this.running = on ? [...others, machine].sort(firstOf) : others;
  }

  #sum(key: 'capW' | 'floorW'): number {
    return this.running.reduce((all, one) => all + one[key], 0);
  }

  /** Who may not; and where a bound is below what they draw at their least, the last in order first. */
  stopUnable(): void {
    for (const machine of this.running) {
      if (machine.able) continue;
      this.#turn(machine, false);
      if (!machine.mayReturn) continue;
      const { since: _, ...rest } = this.#record(machine);
      this.#records.set(machine.node, rest);
    }
    for (
      let last = this.running.at(-1);
      last && this.#sum('floorW') > this.#asked.mostW + tiny;
      last = this.running.at(-1)
    )
      this.#turn(last, false);
  }

  get #waiting(): readonly Machine[] {
    const usedUp = (machine: Machine) => Number(this.#record(machine).starts.length >= startsPerDay);
    return this.#order
      .filter(machine => mayStart(machine, this.#record(machine), this.#now, this.#asked.saidAt))
      .sort((a, b) => usedUp(a) - usedUp(b));
  }

  get #lacks(): number {
    return this.#asked.needW - this.#sum('capW');
  }

  /** @returns since when a little is missing */
  startMissing(before: number | undefined): number | undefined {
    const { demandW } = this.#asked;
    const little = Math.max(littleW, littleShare * demandW);
    const lackAt = this.#lacks > little ? (before ?? this.#now) : undefined;
    if (lackAt === undefined) return undefined;
    const long = this.#now - lackAt >= lackMs;
    const missing = long ? little : Math.max(missingW, missingShare * demandW);
    if (this.#lacks <= missing) return lackAt;
    for (const machine of this.#waiting) {
      if (this.#lacks <= missing) break;
      if (this.#lacks >= machine.floorW && this.#mayStartOne()) this.#turn(machine, true);
    }
    return lackAt;
  }

  /** @returns since when heat is made of nothing while one that is off has work */
  startUseful(before: number | undefined): number | undefined {
    const { needW } = this.#asked;
    const ofNothing = needW > missingW && this.running.length > 0 && this.running.every(one => !one.useful);
    if (!ofNothing) return undefined;
    const room = needW - this.#sum('floorW');
    const willing = this.#waiting.find(
      one => one.useful && this.#record(one).starts.length < workStartsPerDay && one.floorW <= room,
    );
    if (!willing) return undefined;
    const workAt = before ?? this.#now;
    if (this.#now - workAt >= workMs && this.#mayStartOne()) this.#turn(willing, true);
    return workAt;
  }

  #spare(machine: Machine): boolean {
    const others = this.#sum('capW') - machine.capW;
    const { needW } = this.#asked;
    return others > 0 ? needW < others - spareShare * Math.min(others, machine.capW) : needW <= 0;
  }

  /** @returns since when one is not needed */
  stopSpare(before: number | undefined): number | undefined {
    if (!this.running.some(machine => this.#spare(machine))) return undefined;
    const spareAt = before ?? this.#now;
    const holds = this.#asked.demandW > 0 ? spareMs : nothingMs;
    for (const machine of this.running.toReversed()) {
      const { since = 0, starts } = this.#record(machine);
      const hold = holds[starts.length] ?? Number.POSITIVE_INFINITY;
      const may = this.#now - since >= machine.minOnMs && this.#now - spareAt >= hold;
      if (!may || !this.#spare(machine)) continue;
      this.#turn(machine, false);
      this.#records.set(machine.node, { ...this.#record(machine), spared: true });
    }
    return spareAt;
  }
}
