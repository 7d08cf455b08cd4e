/** What is counted of one way to heat, over a season. */
import type { Machine } from './machine.ts';

interface RoomCount {
  /** Of the hour that runs; only known at its end whether it was feasible. */
  hour: { s: number; withinS: number; occupiedS: number; occupiedOffS: number; offS: number };
  feasibleS: number;
  withinS: number;
  offS: number;
  occupiedS: number;
  occupiedOffS: number;
  /** Ten minutes of watts. */
  ten: { s: number; demanded: number; given: number };
}

const freshHour = () => ({ s: 0, withinS: 0, occupiedS: 0, occupiedOffS: 0, offS: 0 });

export class Figures {
  readonly name: string;
  days = 0;
  kWh = 0;
  coreHours = 0;
  /** Tasks of a core-hour each: how many came, and were done as heat. */
  tasks: { readonly came: number; readonly done: number } = { came: 0, done: 0 };
  /** Given ÷ demanded - 1 of every ten minutes. */
  readonly delivery: number[] = [];
  /** Starts per day by node. */
  starts: { readonly node: string; readonly perDay: number }[] = [];
  readonly rooms: RoomCount[];

  constructor(name: string, rooms: number) {
    this.name = name;
    this.rooms = Array.from({ length: rooms }, () => ({
      hour: freshHour(),
      feasibleS: 0,
      withinS: 0,
      offS: 0,
      occupiedS: 0,
      occupiedOffS: 0,
      ten: { s: 0, demanded: 0, given: 0 },
    }));
  }

  sample(room: number, s: number, offC: number, occupied: boolean): void {
    const { hour } = this.rooms[room] as RoomCount;
    const off = Math.abs(offC);
    hour.s += s;
    hour.offS += off * s;
    if (off <= 0.3) hour.withinS += s;
    if (!occupied) return;
    hour.occupiedS += s;
    hour.occupiedOffS += off * s;
  }

  watts(
    room: number,
    s: number,
    machines: readonly Machine[],
    demandW: number | undefined,
    least: number,
    most: number,
  ): void {
    const given = machines.reduce((sum, machine) => sum + machine.watts, 0);
    this.kWh += (given * s) / 3.6e6;
    for (const { cores } of machines) this.coreHours += (cores * s) / 3600;
    if (demandW === undefined) return;
    const { ten } = this.rooms[room] as RoomCount;
    ten.s += s;
    // Less than idle and more than all cannot be given by whoever decides how many cores are busy.
    ten.demanded += Math.min(most, Math.max(least, demandW)) * s;
    ten.given += given * s;
    if (ten.s < 600) return;
    this.delivery.push(ten.given / ten.demanded - 1);
    (this.rooms[room] as RoomCount).ten = { s: 0, demanded: 0, given: 0 };
  }

  hour(feasible: readonly boolean[]): void {
    this.rooms.forEach((room, i) => {
      const { hour } = room;
      room.hour = freshHour();
      if (!feasible[i]) return;
      room.feasibleS += hour.s;
      room.withinS += hour.withinS;
      room.offS += hour.offS;
      room.occupiedS += hour.occupiedS;
      room.occupiedOffS += hour.occupiedOffS;
    });
  }

  forget(): void {
    for (const room of this.rooms) room.hour = freshHour();
  }

  end(days: number, starts: readonly { node: string; starts: number }[]): void {
    this.days = days;
    this.starts = starts.map(({ node, starts: count }) => ({ node, perDay: count / days }));
  }

  #share(of: (room: RoomCount) => number, all: (room: RoomCount) => number): number {
    const sum = (pick: (room: RoomCount) => number) => this.rooms.reduce((total, room) => total + pick(room), 0);
    return sum(of) / sum(all);
  }

  /** Mean absolute error while somebody is there, °C, in feasible hours. */
  get occupiedError(): number {
    return this.#share(
      room => room.occupiedOffS,
      room => room.occupiedS,
    );
  }

  get error(): number {
    return this.#share(
      room => room.offS,
      room => room.feasibleS,
    );
  }

  /** Share of feasible hours within ±0.3 °C. */
  get within(): number {
    return this.#share(
      room => room.withinS,
      room => room.feasibleS,
    );
  }

  /** Feasible hours in a day of one room. */
  get feasible(): number {
    return this.#share(
      room => room.feasibleS / 3600,
      () => this.days,
    );
  }

  get mostStarts(): number {
    return Math.max(...this.starts.map(({ perDay }) => perDay));
  }

  /** How far ten-minute means of watts are off, as shares: mean, and what 95 % stay below. */
  get deliveryError(): { readonly mean: number; readonly p95: number; readonly within: number } {
    const sorted = this.delivery.map(Math.abs).sort((a, b) => a - b);
    const mean = sorted.reduce((sum, off) => sum + off, 0) / sorted.length;
    return {
      mean,
      p95: sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN,
      within: sorted.filter(off => off <= 0.05).length / sorted.length,
    };
  }
}
