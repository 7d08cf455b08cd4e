/** Output of units for two readers: people who follow a service, and what waits for a text in it. */
import type { Host } from '../host.ts';

/** Lines looked through where the output was read already when the watch began. */
const lookBackLines = 1000;

export class Outputs implements Pick<Host, 'tail' | 'follow'> {
  readonly #host: Pick<Host, 'tail' | 'follow'>;
  /** Tells of a watched text, each once. Never from inside a call. */
  readonly #saw: (unit: string, text: string) => void;
  readonly #people = new Set<string>();
  /** Unit -> texts that were not seen yet. */
  readonly #watched = new Map<string, Set<string>>();

  constructor(host: Pick<Host, 'tail' | 'follow'>, saw: (unit: string, text: string) => void) {
    this.#host = host;
    this.#saw = saw;
  }

  tail(unit: string, lines: number): readonly string[] {
    return this.#host.tail(unit, lines);
  }

  follow(unit: string, on: boolean, fromStart?: boolean): void {
    if (on === this.#people.has(unit)) return;
    const watched = this.#watched.has(unit);
    if (on) this.#people.add(unit);
    else this.#people.delete(unit);
    if (!watched) this.#host.follow(unit, on, fromStart);
  }

  /** @param texts none: no longer. */
  watch(unit: string, texts: readonly string[]): void {
    const before = this.#watched.has(unit);
    const followed = this.#people.has(unit);
    if (texts.length === 0) {
      this.#watched.delete(unit);
      if (before && !followed) this.#host.follow(unit, false);
      return;
    }
    this.#watched.set(unit, new Set(texts));
    if (before || followed) this.#look(unit, this.#host.tail(unit, lookBackLines));
    else this.#host.follow(unit, true, true);
  }

  /** Lines of the host; answers with whether people want them. */
  heard(unit: string, lines: readonly string[]): boolean {
    this.#look(unit, lines);
    return this.#people.has(unit);
  }

  /** The unit is no more. */
  forget(unit: string): void {
    this.#people.delete(unit);
    this.#watched.delete(unit);
  }

  #look(unit: string, lines: readonly string[]): void {
    const texts = this.#watched.get(unit);
    if (!texts) return;
    for (const text of [...texts]) {
      if (!lines.some(line => line.includes(text))) continue;
      texts.delete(text);
      this.#saw(unit, text);
    }
    if (texts.size > 0) return;
    this.#watched.delete(unit);
    if (!this.#people.has(unit)) this.#host.follow(unit, false);
  }
}
