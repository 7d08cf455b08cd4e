/** A thermometer: follows slowly, errs a little, in steps, and speaks on change or every so often. */
import type { Dice } from '../sim/random.ts';

export interface SensorKind {
  /** Time constant, s. */
  readonly lagS: number;
  /** Standard deviation of one look, °C. */
  readonly noiseC: number;
  readonly stepC: number;
  /** Looks every so often, says what changed, and at least every `sayS`. */
  readonly lookS: number;
  readonly sayS: number;
}

/** Zigbee as they are sold: 0.1 °C, on change, at least every five minutes. */
export const zigbee: SensorKind = { lagS: 240, noiseC: 0.03, stepC: 0.1, lookS: 60, sayS: 300 };
/** A coarse one. */
export const coarse: SensorKind = { lagS: 300, noiseC: 0.03, stepC: 0.5, lookS: 60, sayS: 300 };
/** DS18B20 on a wire: 1/16 °C, every 30 s. */
export const wire: SensorKind = { lagS: 120, noiseC: 0.02, stepC: 0.0625, lookS: 30, sayS: 30 };

export class Sensor {
  readonly #kind: SensorKind;
  readonly #dice: Dice;
  #c: number;
  #said: number | undefined;
  #lookedS = 0;
  #saidS = 0;

  constructor(kind: SensorKind, dice: Dice, c: number) {
    this.#kind = kind;
    this.#dice = dice;
    this.#c = c;
  }

  /** What it says now, if it says anything. */
  step(s: number, airC: number): number | undefined {
    const { lagS, noiseC, stepC, lookS, sayS } = this.#kind;
    this.#c += (1 - Math.exp(-s / lagS)) * (airC - this.#c);
    this.#lookedS += s;
    this.#saidS += s;
    if (this.#lookedS < lookS && this.#said !== undefined) return undefined;
    this.#lookedS = 0;
    // The sum of uniform numbers is near enough to normal.
    const noise = (this.#dice.next() + this.#dice.next() + this.#dice.next() - 1.5) * 2 * noiseC;
    const value = Math.round((this.#c + noise) / stepC) * stepC;
    if (value === this.#said && this.#saidS < sayS) return undefined;
    this.#said = value;
    this.#saidS = 0;
    return value;
  }
}
