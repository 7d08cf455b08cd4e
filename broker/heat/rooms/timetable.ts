/**
 * The week of a room on its wall clock: when the entries of its schedule come into force, and when it is quiet. Pure, and
 * worked out for some days around a moment.
 */
import type { RoomDocument } from '../../../shared/schemas/room.ts';
import type { Zone } from './zone.ts';

type Entry = NonNullable<RoomDocument['schedule']>[number];

/** An entry of the schedule coming into force. */
export interface Change {
  /** Epoch ms. */
  readonly at: number;
  readonly says: Entry;
}

/** From, to (not included), epoch ms. */
export type Span = readonly [from: number, to: number];

export interface Days {
  /** In the order in which they come into force. */
  readonly changes: readonly Change[];
  /** In order of their beginnings. */
  readonly quiet: readonly Span[];
  /** Of these moments everything is known: every entry that may count came into force since. */
  readonly known: Span;
}

const names = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
/** 1970-01-01 was a Thursday. */
const weekday = (day: number): number => (((day + 4) % 7) + 7) % 7;
/** A week, and a day on either side for what begins the day before and for clocks that are put back. */
const span = 8;
const whole = 24 * 60;

/** Which weekdays `mon-fri,sun` names, Sunday first; none said: all. `fri-mon` goes over the weekend. */
export function readDays(text: string | undefined): readonly boolean[] {
  if (text === undefined) return names.map(() => true);
  const found = names.map(() => false);
  for (const part of text.split(',')) {
    const [from = '', to = from] = part.split('-');
    const last = names.indexOf(to);
    for (let day = names.indexOf(from); ; day = (day + 1) % 7) {
      found[day] = true;
      if (day === last) break;
    }
  }
  return found;
}

export const readTime = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));

/** The days around `wall`. */
export function daysAround({ schedule = [], quiet = [] }: RoomDocument, zone: Zone, wall: number): Days {
  const today = zone.local(wall).day;
  const entries = schedule.map(says => ({ says, days: readDays(says.days), minute: readTime(says.at) }));
  const windows = quiet.map(({ days, from, to }) => ({ days: readDays(days), from: readTime(from), to: readTime(to) }));
  const times = new Map<number, (minute: number) => number>();
  const on = (day: number): ((minute: number) => number) => {
    const found = times.get(day) ?? timesOf(zone, day);
    times.set(day, found);
    return found;
  };
  const changes: (Change & { readonly order: number })[] = [];
  const spans: Span[] = [];
  for (let day = today - span; day <= today + span; day++) {
    const is = weekday(day);
    for (const { says, days, minute } of entries) {
      if (days[is]) changes.push({ at: on(day)(minute), says, order: day * whole + minute });
    }
    for (const { days, from, to } of windows) {
      // From a time to the same is a whole day.
      if (days[is]) spans.push([on(day)(from), on(from < to ? day : day + 1)(to)]);
    }
  }
  // Where the clock is put forward, several come at once: in the order in which they stand on the wall.
  changes.sort((a, b) => a.at - b.at || a.order - b.order);
  spans.sort(([a], [b]) => a - b);
  return { changes, quiet: spans, known: [on(today)(0), on(today + 1)(0)] };
}

/** Times of one day. Where its clock is neither put forward nor back, the whole day goes by one question. */
function timesOf(zone: Zone, day: number): (minute: number) => number {
  const start = zone.first(day, 0);
  const isPlain =
    zone.first(day + 1, 0) - start === whole * 60_000 && zone.first(day, whole / 2) - start === whole * 30_000;
  return minute => (isPlain ? start + minute * 60_000 : zone.first(day, minute));
}
