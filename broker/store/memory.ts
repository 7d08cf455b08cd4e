/**
 * A store in memory, for tests and the simulator. It keeps the promise of the seam and no more: what `write` has not
 * called back for is gone after `kill()`.
 */
import type { Store, StoreOp } from '../../shared/store.ts';

/** What outlives the process: give it to the next {@link createMemoryStore} as its disk. */
export type MemoryDisk = Map<string, string>;

export interface MemoryStore extends Store {
  readonly disk: MemoryDisk;
  /** The process dies: batches not yet synced never happen, and no callback runs any more. */
  kill(): void;
  /** Every following write fails with this error, until it is called with undefined: a full disk. */
  failWrites(error: Error | undefined): void;
}

export interface MemoryStoreOptions {
  readonly disk?: MemoryDisk;
  /** When a batch is synced; a microtask later by default. The simulator makes it take virtual time. */
  readonly later?: (run: () => void) => void;
}

const closed = (): Error => new Error('the store is closed');

export function createMemoryStore({ disk = new Map(), later = queueMicrotask }: MemoryStoreOptions = {}): MemoryStore {
  let state: 'open' | 'closed' | 'killed' = 'open';
  let failure: Error | undefined;
  const run = (work: () => void) =>
    later(() => {
      if (state !== 'killed') work();
    });
  const sorted = (wanted: (key: string) => boolean) => {
    const entries = [...disk].filter(([key]) => wanted(key));
    return entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  };
  return {
    disk,
    read(prefix, done) {
      if (state !== 'open') return run(() => done(closed(), []));
      run(() =>
        done(
          undefined,
          sorted(key => key.startsWith(prefix)),
        ),
      );
    },
    readRange(from, to, limit, done) {
      if (state !== 'open') return run(() => done(closed(), []));
      run(() => done(undefined, sorted(key => key >= from && key < to).slice(0, limit)));
    },
    get(keys, done) {
      if (state !== 'open') return run(() => done(closed(), []));
      const asked = [...keys];
      run(() =>
        done(
          undefined,
          asked.map(key => disk.get(key)),
        ),
      );
    },
    write(ops: readonly StoreOp[], done) {
      if (state !== 'open') return run(() => done(closed()));
      const batch = [...ops];
      run(() => {
        if (failure) return done(failure);
        for (const op of batch) {
          if ('put' in op) disk.set(op.put, op.value);
          else disk.delete(op.del);
        }
        done();
      });
    },
    close(done) {
      if (state === 'open') state = 'closed';
      run(done);
    },
    kill() {
      state = 'killed';
    },
    failWrites(error) {
      failure = error;
    },
  };
}
