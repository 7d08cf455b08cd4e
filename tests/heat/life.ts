/** Who is in a room and when: targets by schedule, people's warmth, windows opened now and then. All from one seed. */
import { Dice } from '../sim/random.ts';

export interface Habits {
  /** Hours of the day in which it is warm, by weekday and at weekends. */
  readonly weekday: readonly (readonly [from: number, to: number])[];
  readonly weekend: readonly (readonly [from: number, to: number])[];
  readonly warmC: number;
  readonly coolC: number;
  /** People at a time, and W of what they use. */
  readonly people: number;
  readonly devicesW: number;
  /** Windows opened in a day, on average. */
  readonly airings: number;
  /** Hours in which loud machines are silent. */
  readonly quiet?: readonly [from: number, to: number];
}

export interface Now {
  readonly targetC: number;
  /** Somebody is there. */
  readonly occupied: boolean;
  readonly peopleW: number;
  readonly open: boolean;
  readonly quiet: boolean;
  readonly next?: { readonly targetC: number; readonly inS: number };
}

const dayS = 86_400;

/** 1 October is taken for a Monday. */
const isWeekend = (day: number): boolean => day % 7 >= 5;

export class Life {
  readonly #habits: Habits;
  readonly #dice: Dice;
  #day = -1;
  #presence: { from: number; to: number; people: number }[] = [];
  #airings: { from: number; to: number }[] = [];

  constructor(habits: Habits, seed: number, name: string) {
    this.#habits = habits;
    this.#dice = new Dice(seed, `life ${name}`);
  }

  at(s: number): Now {
    const day = Math.floor(s / dayS);
    if (day !== this.#day) this.#plan(day);
    const hour = (s % dayS) / 3600;
    const present = this.#presence.find(({ from, to }) => hour >= from && hour < to);
    const { warmC, coolC, devicesW, quiet } = this.#habits;
    const warm = this.#warm(day, hour);
    const inS = warm ? undefined : this.#warmIn(day, hour);
    return {
      targetC: warm ? warmC : coolC,
      occupied: present !== undefined && warm,
      peopleW: present ? present.people * 80 + devicesW : 0,
      open: this.#airings.some(({ from, to }) => hour >= from && hour < to),
      quiet:
        quiet !== undefined &&
        (quiet[0] > quiet[1] ? hour >= quiet[0] || hour < quiet[1] : hour >= quiet[0] && hour < quiet[1]),
      ...(inS !== undefined && { next: { targetC: warmC, inS } }),
    };
  }

  #warm(day: number, hour: number): boolean {
    const spans = isWeekend(day) ? this.#habits.weekend : this.#habits.weekday;
    return spans.some(([from, to]) => hour >= from && hour < to);
  }

  #warmIn(day: number, hour: number): number | undefined {
    for (let ahead = 0; ahead < 2; ahead++) {
      const spans = isWeekend(day + ahead) ? this.#habits.weekend : this.#habits.weekday;
      for (const [from] of spans) if (ahead > 0 || from > hour) return (from + 24 * ahead - hour) * 3600;
    }
    return undefined;
  }

  #plan(day: number): void {
    this.#day = day;
    const dice = this.#dice;
    const { people, airings } = this.#habits;
    const spans = isWeekend(day) ? this.#habits.weekend : this.#habits.weekday;
    this.#presence = [];
    for (const [from, to] of spans) {
      // In and out: a stretch of one to three hours, then perhaps somebody else, perhaps nobody.
      for (let hour = from; hour < to; ) {
        const end = Math.min(to, hour + dice.between(1, 3));
        if (dice.chance(0.75)) this.#presence.push({ from: hour, to: end, people: 1 + dice.below(people) });
        hour = end;
      }
    }
    this.#airings = [];
    for (let wanted = airings; wanted > 0; wanted--) {
      if (wanted < 1 && !dice.chance(wanted)) continue;
      const at = dice.pick(spans);
      const from = dice.between(at[0], Math.max(at[0] + 0.1, at[1] - 0.3));
      this.#airings.push({ from, to: from + dice.between(4, 15) / 60 });
    }
  }
}
