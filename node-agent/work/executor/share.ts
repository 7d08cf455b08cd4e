/** Each task's share of the node's time: the integral over its time of 1 / tasks that run. Pure; milliseconds. */
export class Share {
  #running = 0;
  /** From the beginning until `#at`. */
  #integral = 0;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  /** @returns what {@link end} needs. */
  begin(now: number): number {
    this.#pass(now);
    this.#running++;
    return this.#integral;
  }

  /** @param ms its own time: less than `now - began` where it was told of late. */
  end(now: number, began: number, from: number, ms: number): number {
    const running = Math.max(1, this.#running);
    this.#pass(now);
    this.#running--;
    const passed = now - began;
    return passed > 0 ? (Math.min(ms, passed) * (this.#integral - from)) / passed : ms / running;
  }

  /** It is frozen now. @returns its share since {@link begin}. */
  pause(now: number, from: number): number {
    this.#pass(now);
    this.#running--;
    return this.#integral - from;
  }

  #pass(now: number): void {
    if (this.#running > 0) this.#integral += (now - this.#at) / this.#running;
    this.#at = now;
  }
}
