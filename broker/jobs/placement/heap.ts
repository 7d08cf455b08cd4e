/** In a heap, or not (-1): only in one at a time. */
export interface Heaped {
  heapAt: number;
}

/** A binary heap whose items know where they are, so that they can leave or change their place: O(log n) each. */
export class Heap<T extends Heaped> {
  readonly #items: T[] = [];
  readonly #before: (a: T, b: T) => boolean;

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  /** Adds it, or finds its new place after what it is compared by has changed. */
  put(item: T): void {
    if (item.heapAt < 0) {
      item.heapAt = this.#items.length;
      this.#items.push(item);
    }
    this.#down(this.#up(item.heapAt));
  }

  delete(item: T): void {
    const at = item.heapAt;
    if (at < 0) return;
    item.heapAt = -1;
    const last = this.#items.pop() as T;
    if (last === item) return;
    this.#items[at] = last;
    last.heapAt = at;
    this.#down(this.#up(at));
  }

  #up(from: number): number {
    let at = from;
    const item = this.#items[at] as T;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = this.#items[above] as T;
      if (!this.#before(item, parent)) break;
      this.#set(at, parent);
      at = above;
    }
    this.#set(at, item);
    return at;
  }

  #down(from: number): void {
    let at = from;
    const item = this.#items[at] as T;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= this.#items.length) break;
      if (below + 1 < this.#items.length && this.#before(this.#items[below + 1] as T, this.#items[below] as T)) below++;
      const child = this.#items[below] as T;
      if (!this.#before(child, item)) break;
      this.#set(at, child);
      at = below;
    }
    this.#set(at, item);
  }

  #set(at: number, item: T): void {
    this.#items[at] = item;
    item.heapAt = at;
  }
}
