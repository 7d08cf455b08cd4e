/** What is measured in rooms, by whichever way it came: on `in/<reading>`, or by the thermometers that documents name. Pure. */
import type { Rooms } from './rooms/rooms.ts';
import type { Measured } from './round.ts';

interface Heard {
  readonly c: number;
  /** Monotonic ms. */
  readonly atMs: number;
}

/** The weather does not jump, but after hours it is another one. */
const outdoorMs = 3 * 3_600_000;

export class Measurements {
  readonly #rooms: Pick<Rooms, 'latest'>;
  readonly #temps = new Map<string, Heard>();
  readonly #outdoors = new Map<string, Heard>();

  constructor(rooms: Pick<Rooms, 'latest'>) {
    this.#rooms = rooms;
  }

  temp(room: string, c: number, atMs: number): void {
    this.#temps.set(room, { c, atMs });
  }

  outdoor(room: string, c: number, atMs: number): void {
    this.#outdoors.set(room, { c, atMs });
  }

  forget(room: string): void {
    this.#temps.delete(room);
    this.#outdoors.delete(room);
  }

  /** The newest of each, where there are two ways. */
  of(room: string, now: number): Measured {
    const latest = (reading: Parameters<Rooms['latest']>[1]) => this.#rooms.latest(room, reading);
    const said = latest('temp_c');
    const own = said && { c: said.value, atMs: now - said.ageMs };
    const heard = this.#temps.get(room);
    const outdoor = this.#outdoors.get(room);
    const heardOutdoor = outdoor && now - outdoor.atMs < outdoorMs ? outdoor.c : undefined;
    return {
      temp: own && heard ? (own.atMs >= heard.atMs ? own : heard) : (own ?? heard),
      outdoorC: latest('outdoor_c')?.value ?? heardOutdoor,
      directW: latest('demand_w')?.value,
      price: latest('price')?.value,
      surplusW: latest('surplus_w')?.value,
    };
  }
}
