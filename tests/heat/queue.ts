/** Tasks of class `heat` as a fleet gets them: in bursts, some days many, some days none. Each runs on one core for an hour. */
import type { Dice } from '../sim/random.ts';

export class Queue {
  /** Core-hours that wait, that came, and that were done. */
  waiting = 0;
  came = 0;
  done = 0;
  readonly #dice: Dice;
  readonly #perDay: number;

  constructor(dice: Dice, perDay: number) {
    this.#dice = dice;
    this.#perDay = perDay;
  }

  /** Two bursts a day on average, of nothing to twice the usual. */
  step(s: number, busyCores: number): void {
    if (this.#dice.chance((2 * s) / 86_400)) {
      const tasks = Math.round(this.#dice.between(0, this.#perDay));
      this.waiting += tasks;
      this.came += tasks;
    }
    const worked = Math.min(this.waiting, (busyCores * s) / 3600);
    this.waiting -= worked;
    this.done += worked;
  }
}
