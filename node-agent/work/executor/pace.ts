/** How long tasks of a recipe take, and so how many of them make sense in one lane. Pure. */

/** A lane is given about as much as it does in this time. */
const inHandMs = 20;
const shortestMs = 0.01;

export class Pace {
  /** ms, averaged: what gets slower is believed sooner than what gets quicker. */
  readonly #known = new Map<number, number>();

  learn(r: number, ms: number): void {
    const before = this.#known.get(r);
    this.#known.set(r, before === undefined ? ms : before + (ms - before) * (ms > before ? 0.5 : 0.1));
  }

  /** How many tasks a lane may hold. @param most that it takes. */
  ahead(r: number, most: number): number {
    const pace = this.#known.get(r);
    if (pace === undefined || most <= 1) return 1;
    return Math.max(1, Math.min(most, Math.floor(inHandMs / Math.max(pace, shortestMs))));
  }

  forget(r: number): void {
    this.#known.delete(r);
  }
}
