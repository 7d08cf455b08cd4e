/**
 * One season in one house, in virtual time, for several ways to heat at once: the same weather, people and windows for all of them, each
 * with rooms, machines and thermometers of its own.
 *
 * An hour is feasible where somebody who knows everything (no thermometer, no lag, any watts between all machines idle and all
 * busy) would have kept the room within 0.1 °C of its target all through: else machines lack, or it would need cooling. Hours
 * in which one of the contestants heats ahead of the schedule count for nobody: it does what it was told to.
 */
import { Dice } from '../sim/random.ts';
import { Figures } from './figures.ts';
import type { House, HouseRoom } from './house.ts';
import { Life, type Now } from './life.ts';
import { Machine } from './machine.ts';
import { Queue } from './queue.ts';
import { type Around, Room } from './room.ts';
import { Sensor } from './sensor.ts';
import { through, Weather } from './weather.ts';

/** A room with its machines as one way to heat has them. */
export interface Heated {
  readonly of: HouseRoom;
  readonly machines: readonly Machine[];
  /** What the thermometer said last, in steps and with noise, and when. */
  reading?: { readonly c: number; readonly atMs: number };
}

export interface Told extends Now {
  readonly outdoorC: number;
}

/** A way to heat. Orders machines; `demandW` of each room where it has such a thing. */
export interface Heating {
  readonly name: string;
  step(now: number, rooms: readonly Heated[], told: readonly Told[]): readonly (number | undefined)[];
  /** Whether it heats this room ahead of the schedule now. */
  ahead?(room: number): boolean;
}

export type NewHeating = (house: House) => Heating;

export interface SeasonOptions {
  readonly house: House;
  readonly seed: number;
  readonly days?: number;
  readonly fromDay?: number;
  /** Days that do not count. */
  readonly skipDays?: number;
  readonly stepS?: number;
}

/** Somewhat less than the heat of a winter's day can do in a house. */
const tasksPerDay = 400;

interface Contestant {
  readonly heating: Heating;
  readonly heated: Heated[];
  readonly rooms: Room[];
  readonly sensors: Sensor[];
  readonly dice: Dice;
  readonly queue: Queue;
  readonly figures: Figures;
}

export function season(options: SeasonOptions, ways: readonly NewHeating[]): Figures[] {
  const { house, seed, fromDay = 0, skipDays = 0, stepS = 30 } = options;
  const weather = new Weather(house.place);
  const days = Math.min(options.days ?? Number.POSITIVE_INFINITY, Math.floor(weather.hours / 24) - fromDay);
  const fromS = fromDay * 86_400;
  const outdoorC = weather.at(fromS).airC;
  const startC = (room: HouseRoom) => room.habits.coolC;
  const contestants = ways.map((make): Contestant => {
    const dice = new Dice(seed, 'machines');
    const heated = house.rooms.map(of => ({ of, machines: of.machines.map(kind => new Machine(kind, dice)) }));
    const heating = make(house);
    return {
      heating,
      heated,
      rooms: house.rooms.map(of => new Room(of.kind, startC(of), outdoorC)),
      sensors: house.rooms.map((of, i) => new Sensor(of.sensor, new Dice(seed, `sensor ${i}`), startC(of))),
      dice,
      queue: new Queue(new Dice(seed, 'tasks'), tasksPerDay),
      figures: new Figures(heating.name, house.rooms.length),
    };
  });
  const ideal = house.rooms.map(of => new Room(of.kind, startC(of), outdoorC));
  const life = house.rooms.map(of => new Life(of.habits, seed, of.kind.name));
  const kept = house.rooms.map(() => 0);

  for (let s = fromS; s < fromS + days * 86_400; s += stepS) {
    const moment = weather.at(s);
    const counts = s >= fromS + skipDays * 86_400;
    const told: Told[] = [];
    house.rooms.forEach((of, i) => {
      const now = (life[i] as Life).at(s);
      told.push({ ...now, outdoorC: moment.airC });
      const around = aroundOf(of, now, moment.airC, through(moment, of.kind.facing));
      const [least, most] = possibleW(contestants[0]?.heated[i] as Heated, now.quiet);
      const room = ideal[i] as Room;
      room.step(stepS, Math.min(most, Math.max(least, room.neededW(stepS, now.targetC, around))), around);
      kept[i] = Math.max(kept[i] as number, Math.abs(room.airC - now.targetC));
      for (const { rooms, heated, sensors } of contestants) {
        const { machines } = heated[i] as Heated;
        const watts = machines.reduce((sum, machine) => sum + machine.heatW, 0);
        (rooms[i] as Room).step(stepS, watts, around);
        const c = (sensors[i] as Sensor).step(stepS, (rooms[i] as Room).airC);
        if (c !== undefined) (heated[i] as Heated).reading = { c, atMs: s * 1000 };
      }
    });
    house.rooms.forEach((_, i) => {
      if (contestants.some(({ heating }) => heating.ahead?.(i))) kept[i] = Number.POSITIVE_INFINITY;
    });
    const hourEnds = (s + stepS) % 3600 === 0;
    for (const { heating, heated, rooms, dice, queue, figures } of contestants) {
      const demands = heating.step(s * 1000, heated, told);
      for (const { machines } of heated) for (const machine of machines) machine.step(stepS, dice);
      let busy = 0;
      for (const { machines } of heated) for (const { cores } of machines) busy += cores;
      queue.step(stepS, busy);
      if (!counts) {
        if (hourEnds) figures.forget();
        continue;
      }
      heated.forEach((one, i) => {
        const { targetC, occupied, quiet } = told[i] as Told;
        const [least, most] = possibleW(one, quiet);
        figures.sample(i, stepS, (rooms[i] as Room).airC - targetC, occupied);
        figures.watts(i, stepS, one.machines, demands[i], least, most);
      });
      if (hourEnds) figures.hour(kept.map(off => off <= 0.1));
    }
    if (hourEnds) kept.fill(0);
    if (!counts)
      for (const { heated } of contestants) for (const { machines } of heated) for (const m of machines) m.starts = 0;
  }
  for (const { figures, heated, queue } of contestants) {
    figures.tasks = queue;
    figures.end(
      days - skipDays,
      heated.flatMap(({ machines }) => machines.map(({ kind, starts }) => ({ node: kind.node, starts }))),
    );
  }
  return contestants.map(({ figures }) => figures);
}

const aroundOf = (of: HouseRoom, now: Now, outdoorC: number, sun: number): Around => ({
  outdoorC,
  sun,
  people: now.peopleW,
  open: now.open && of.habits.airings > 0,
});

/** All machines idle, and all busy that may be. */
function possibleW({ machines }: Heated, quiet: boolean): [number, number] {
  let [least, most] = [0, 0];
  for (const { kind, minW, maxW } of machines) {
    least += minW;
    most += quiet && kind.loud ? minW : maxW;
  }
  return [least, most];
}
