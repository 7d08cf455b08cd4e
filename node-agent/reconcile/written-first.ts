/**
 * What services of a document wait for before any of them starts: files whose text stands in the document itself are there
 * in a moment. Downloads are waited for by who needs them. One attempt at each is enough, however it went.
 */
export class WrittenFirst {
  #rev = -1;
  #left = new Set<string>();
  #waiting: { readonly rev: number; readonly run: () => void }[] = [];

  /** Files of a document were planned: these are to come first. */
  planned(rev: number, names: Iterable<string>): void {
    this.#rev = rev;
    this.#left = new Set(names);
    this.#look();
  }

  attempted(name: string): void {
    if (this.#left.delete(name)) this.#look();
  }

  /** Runs `run` once, when all that comes first in the document of that revision was attempted; an older one's never. */
  when(rev: number, run: () => void): void {
    this.#waiting = this.#waiting.filter(one => one.rev >= rev);
    this.#waiting.push({ rev, run });
    this.#look();
  }

  #look(): void {
    if (this.#left.size > 0) return;
    const due = this.#waiting.filter(({ rev }) => rev === this.#rev);
    this.#waiting = this.#waiting.filter(({ rev }) => rev > this.#rev);
    for (const { run } of due) run();
  }
}
