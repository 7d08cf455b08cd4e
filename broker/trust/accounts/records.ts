/**
 * Small records below one prefix of the store, all of them in memory too. A change counts when it is on disk; a removal
 * counts at once, since what is taken away may not be used while the disk is busy.
 */
import type { z } from 'zod';
import { check, parseJson } from '../../../shared/codec.ts';
import type { Store, StoreOp } from '../../../shared/store.ts';
import { UserError } from '../../../shared/user-error.ts';

export class Records<T extends object> {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #known: Map<string, T>;
  /** Removals that are on their way to the disk, by key: a write that began before one does not bring the record back. */
  readonly #removed = new Map<string, number>();
  #serial = 0;

  /** What does not fit the schema is left out: it counts for nothing. */
  static load<T extends object>(store: Store, prefix: string, schema: z.ZodType<T>): Promise<Records<T>> {
    return new Promise((resolve, reject) =>
      store.read(prefix, (error, entries) => {
        if (error) return reject(error);
        const known = new Map<string, T>();
        for (const [key, text] of entries) {
          const json = parseJson(text);
          const record = json.ok ? check(schema, json.value) : json;
          if (record.ok) known.set(key.slice(prefix.length), record.value);
        }
        resolve(new Records(store, prefix, known));
      }),
    );
  }

  private constructor(store: Store, prefix: string, known: Map<string, T>) {
    this.#store = store;
    this.#prefix = prefix;
    this.#known = known;
  }

  get(key: string): T | undefined {
    return this.#known.get(key);
  }

  all(): IterableIterator<[string, T]> {
    return this.#known.entries();
  }

  get size(): number {
    return this.#known.size;
  }

  /** Resolves when it is on stable storage, and counts from then on. */
  put(key: string, value: T): Promise<void> {
    const serial = ++this.#serial;
    const op = { put: this.#prefix + key, value: JSON.stringify(value) };
    return this.#write(op, 'nothing has changed', () => {
      if ((this.#removed.get(key) ?? 0) < serial) this.#known.set(key, value);
    });
  }

  /** Counts at once and is written when it can be: for what may be lost. */
  putLater(key: string, value: T): void {
    this.#known.set(key, value);
    this.#write({ put: this.#prefix + key, value: JSON.stringify(value) }, '', () => {}).catch(() => {});
  }

  /** Counts at once; resolves when the disk has it, too. */
  remove(key: string): Promise<void> {
    const serial = ++this.#serial;
    this.#known.delete(key);
    this.#removed.set(key, serial);
    return this.#write({ del: this.#prefix + key }, 'it counts, but would be undone by a restart', () => {
      if (this.#removed.get(key) === serial) this.#removed.delete(key);
    });
  }

  #write(op: StoreOp, otherwise: string, written: () => void): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#store.write([op], error => {
        if (error) {
          const why = `The journal could not be written (${error.message})`;
          return reject(new UserError(`${why}: ${otherwise}. Make room on the disk and try again.`));
        }
        written();
        resolve();
      }),
    );
  }
}
