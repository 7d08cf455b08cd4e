/** What is due when: a binary heap. Nothing is taken out before its time; what is due checks whether it still matters. */
export class Timers {
  readonly #heap: { at: number; run: () => void }[] = [];

  /** Monotonic ms of the first; undefined: none. */
  get next(): number | undefined {
    return this.#heap[0]?.at;
  }

  at(at: number, run: () => void): void {
    const heap = this.#heap;
    const entry = { at, run };
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as { at: number; run: () => void };
      if (above.at <= at) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = entry;
  }

  /** The first, if it is due. */
  due(now: number): (() => void) | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (!first || first.at > now) return undefined;
    const last = heap.pop() as { at: number; run: () => void };
    if (heap.length > 0) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && (heap[child + 1]?.at ?? 0) < (heap[child]?.at ?? 0)) child++;
        const below = heap[child] as { at: number; run: () => void };
        if (below.at >= last.at) break;
        heap[i] = below;
        i = child;
      }
      heap[i] = last;
    }
    return first.run;
  }
}
