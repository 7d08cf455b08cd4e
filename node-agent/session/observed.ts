/** The retained reports of a node, `is` and `info`: sent when they changed, `is` at most once a second. Pure. */
const isEveryMs = 1000;

export class Observed {
  #sentIs = '';
  #sentInfo = '';
  #lastAt = Number.NEGATIVE_INFINITY;
  #wanted = false;

  /** Something on `is` may have changed. */
  touch(): void {
    this.#wanted = true;
  }

  /** When `is` may be sent next, if it is to be. */
  deadline(): number {
    return this.#wanted ? this.#lastAt + isEveryMs : Number.POSITIVE_INFINITY;
  }

  /** `is` is due: @returns whether `text` is news. At a birth (`always`) it goes whether or not it changed. */
  takeIs(text: string, now: number, always: boolean): boolean {
    this.#wanted = false;
    if (!always && text === this.#sentIs) return false;
    this.#sentIs = text;
    this.#lastAt = now;
    return true;
  }

  takeInfo(text: string, always: boolean): boolean {
    if (!always && text === this.#sentInfo) return false;
    this.#sentInfo = text;
    return true;
  }
}
