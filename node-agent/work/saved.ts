/** The last bytes that each task saved: those on their way when a connection is cut are said again. Bounded, pure. */

/** Together. */
const mostBytes = 16 * 1024 * 1024;

export class Saved {
  readonly #of = new Map<number, string>();
  #bytes = 0;

  set(token: number, base64: string): void {
    this.delete(token);
    this.#of.set(token, base64);
    this.#bytes += base64.length;
    for (const oldest of this.#of.keys()) {
      if (this.#bytes <= mostBytes || oldest === token) break;
      this.delete(oldest);
    }
  }

  delete(token: number): void {
    this.#bytes -= this.#of.get(token)?.length ?? 0;
    this.#of.delete(token);
  }

  clear(): void {
    this.#of.clear();
    this.#bytes = 0;
  }

  [Symbol.iterator](): IterableIterator<[number, string]> {
    return this.#of.entries();
  }
}
