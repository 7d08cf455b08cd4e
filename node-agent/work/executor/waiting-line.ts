/** Tasks that wait in line: in the order given, those that came back first. Pure. */
import type { Entry } from './line-parts.ts';

export class WaitingLine {
  #entries: Entry[] = [];
  #first = 0;

  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** In front of all others. */
  again(entries: readonly Entry[]): void {
    this.#entries = [...entries, ...this.#entries.slice(this.#first)];
    this.#first = 0;
  }

  /** The next that is not gone. */
  peek(gone: (entry: Entry) => boolean): Entry | undefined {
    while (this.#first < this.#entries.length && gone(this.#entries[this.#first] as Entry)) this.#first++;
    return this.#entries[this.#first];
  }

  next(): void {
    this.#first++;
  }

  /** What has left the line takes no memory. */
  trim(): void {
    if (this.#first <= 1000 && this.#first !== this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#first);
    this.#first = 0;
  }
}
