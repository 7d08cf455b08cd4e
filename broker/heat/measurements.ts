/** What is measured in rooms, by whichever way it came: on `in/<reading>`, or by the thermometers that documents name. Pure. */
import type { Thermometer } from '../../shared/schemas/reading.ts';
import type { RoomDocument } from '../../shared/schemas/room.ts';
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
  readonly #named = new Map<string, { readonly temp: string; readonly outdoor: string }>();

  constructor(rooms: Pick<Rooms, 'latest'>) {
    this.#rooms = rooms;
  }

  temp(room: string, c: number, atMs: number): void {
    keepNewer(this.#temps, room, { c, atMs });
  }

  outdoor(room: string, c: number, atMs: number): void {
    keepNewer(this.#outdoors, room, { c, atMs });
  }

  /**
   * The sources that the room's document names: what others said before counts no more.
   * @returns whether the thermometer is another one than before
   */
  named(room: string, { thermometer, outdoor }: Pick<RoomDocument, 'thermometer' | 'outdoor'>): boolean {
    const before = this.#named.get(room);
    const now = { temp: placeOf(thermometer), outdoor: placeOf(outdoor) };
    this.#named.set(room, now);
    if (!before) return false;
    if (before.outdoor !== now.outdoor) this.#outdoors.delete(room);
    if (before.temp === now.temp) return false;
    this.#temps.delete(room);
    return true;
  }

  forget(room: string): void {
    this.#temps.delete(room);
    this.#outdoors.delete(room);
    this.#named.delete(room);
  }

  /** The newest of each, where there are two ways. */
  of(room: string, now: number): Measured {
    const latest = (reading: Parameters<Rooms['latest']>[1]) => this.#rooms.latest(room, reading);
    const said = (reading: 'temp_c' | 'outdoor_c'): Heard | undefined => {
      const last = latest(reading);
      return last && { c: last.value, atMs: now - last.ageMs };
    };
    const weather = newer(said('outdoor_c'), this.#outdoors.get(room));
    return {
      temp: newer(said('temp_c'), this.#temps.get(room)),
      outdoorC: weather && now - weather.atMs < outdoorMs ? weather.c : undefined,
      directW: latest('demand_w')?.value,
      price: latest('price')?.value,
      surplusW: latest('surplus_w')?.value,
    };
  }
}

const newer = (one: Heard | undefined, other: Heard | undefined): Heard | undefined =>
  one && other ? (one.atMs >= other.atMs ? one : other) : (one ?? other);

/** A copy that was kept somewhere may come late. */
function keepNewer(all: Map<string, Heard>, room: string, heard: Heard): void {
  const last = all.get(room);
  if (!last || heard.atMs >= last.atMs) all.set(room, heard);
}

/** Where it is and how it is read, not how long it is waited for. */
function placeOf(source: Thermometer | undefined): string {
  if (source === undefined) return '';
  const { stale_min: _, ...place } = source;
  return JSON.stringify(place);
}
