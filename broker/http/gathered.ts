/** What may happen a thousand times a second is one line in ten seconds, with how many it stands for. */
const everyMs = 10_000;

export class Gathered {
  readonly #say: (fields: object, count: number) => void;
  #count = 0;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(say: (fields: object, count: number) => void) {
    this.#say = say;
  }

  add(fields: object): void {
    this.#count += 1;
    if (performance.now() - this.#saidAt < everyMs) return;
    this.#saidAt = performance.now();
    this.#say(fields, this.#count);
    this.#count = 0;
  }
}
