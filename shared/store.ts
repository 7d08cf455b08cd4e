/**
 * The Store seam: an ordered key-value store with atomic, synced batches. On disk it is LevelDB; the simulator's
 * forgets what was not synced when its process is killed.
 */
export type StoreOp = { readonly put: string; readonly value: string } | { readonly del: string };

export interface Store {
  /** All entries with `prefix`, in key order. */
  read(
    prefix: string,
    done: (error: Error | undefined, entries: readonly (readonly [key: string, value: string])[]) => void,
  ): void;
  /** Entries with `from` <= key < `to`, in key order, the first `limit` of them. */
  readRange(
    from: string,
    to: string,
    limit: number,
    done: (error: Error | undefined, entries: readonly (readonly [key: string, value: string])[]) => void,
  ): void;
  /** The values of these keys, in their order; undefined where there is none. */
  get(keys: readonly string[], done: (error: Error | undefined, values: readonly (string | undefined)[]) => void): void;
  /** All or nothing; on stable storage (fdatasync) when `done` runs without an error. Batches apply in call order. */
  write(ops: readonly StoreOp[], done: (error?: Error) => void): void;
  close(done: () => void): void;
}
