/**
 * Outdoors, hour by hour as measured: two places of the TMY3 set (NREL/DOE), October to April. See weather-from-pvlib.py for
 * where it comes from. Every month is a real one; they are of different years, so it is a season put together, not one winter.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onWindow, type Place, type Sun, sunAt } from './sun.ts';

export const places = ['greensboro', 'sand-point'] as const;
export type PlaceName = (typeof places)[number];

export interface Moment {
  readonly airC: number;
  readonly beam: number;
  readonly diffuse: number;
  readonly sun: Sun;
}

/** Days from 1 January to 1 October. */
const firstDay = 273;

export class Weather {
  readonly title: string;
  readonly hours: number;
  readonly #place: Place;
  readonly #air: number[] = [];
  readonly #beam: number[] = [];
  readonly #diffuse: number[] = [];

  constructor(name: PlaceName) {
    const lines = readFileSync(join(import.meta.dirname, `${name}.csv`), 'utf8')
      .trim()
      .split('\n');
    const head = lines.filter(line => line.startsWith('#')).join(' ');
    this.title = head.slice(2, head.indexOf(':'));
    const number = (key: string) => Number(new RegExp(`${key} (-?[\\d.]+)`).exec(head)?.[1]);
    this.#place = { latitude: number('latitude'), longitude: number('longitude'), zone: number('zone') };
    for (const line of lines) {
      if (line.startsWith('#')) continue;
      const [air, beam, diffuse] = line.split(',').map(Number) as [number, number, number];
      this.#air.push(air / 10);
      this.#beam.push(beam);
      this.#diffuse.push(diffuse);
    }
    this.hours = this.#air.length;
  }

  /** @param s seconds since 1 October, 0:00 standard time */
  at(s: number): Moment {
    const hour = s / 3600;
    // A line is of the hour that ends: the air at its end, the sun over it.
    const over = Math.min(this.hours - 1, Math.floor(hour));
    const before = Math.max(0, over - 1);
    const part = hour - Math.floor(hour);
    const [from, to] = [this.#air[before] as number, this.#air[over] as number];
    return {
      airC: from + (to - from) * part,
      beam: this.#beam[over] as number,
      diffuse: this.#diffuse[over] as number,
      sun: sunAt(this.#place, (firstDay + Math.floor(hour / 24)) % 365, hour % 24),
    };
  }
}

export const through = (moment: Moment, azimuthDeg: number): number =>
  onWindow(moment.sun, (azimuthDeg * Math.PI) / 180, moment.beam, moment.diffuse);
