/** A start: what the store holds of jobs, and the number of this start, which no token was given before. */
import type { Store } from '../../shared/store.ts';
import { bootKey, loadPrefix } from './core/records.ts';
import { madePrefix } from './uses.ts';

type Entries = readonly (readonly [key: string, value: string])[];

/** @param done once; with one sentence where that failed. */
export function begin(store: Store, done: (error: string | undefined, entries: Entries, boot: number) => void): void {
  const failed = (text: string) => done(text, [], 0);
  store.read(madePrefix, (madeError, made) => {
    store.read(loadPrefix, (error, entries) => {
      const failure = madeError ?? error;
      if (failure) {
        failed(`the jobs cannot be read: ${failure.message}`);
        return;
      }
      const boot = Number(entries.find(([key]) => key === bootKey)?.[1] ?? 0) + 1;
      if (!Number.isSafeInteger(boot)) {
        failed(`the journal's entry ${bootKey} cannot be read: restore the data folder from a backup`);
        return;
      }
      // Before any token of it is given away.
      store.write([{ put: bootKey, value: String(boot) }], refused => {
        if (refused) failed(`the journal cannot be written: ${refused.message}`);
        else done(undefined, [...entries, ...made], boot);
      });
    });
  });
}

/**
 * Messages to nodes are numbered from here, so that numbers rise also over a restart while a node's session goes on (outside
 * brokers), whatever the wall clock does. Above those of supervisors that went by the wall clock, until the year 2109.
 */
export const firstSeq = (boot: number): number => 2 ** 42 + boot * 2 ** 30;
