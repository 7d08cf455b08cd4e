/**
 * Jobs in a backup: none. What they have made may be gigabytes, and is not worth keeping without the tasks that are under way.
 * Kept is which ids were used, and the number of the last start, above which tokens of a restored folder begin.
 */
import { bootKey } from '../jobs/core/records.ts';

/** Ranges of the store's keys that a backup has, both in order: from, to (not included). */
export const backedUp: readonly (readonly [from: string, to: string])[] = [
  ['', 'jobart/'],
  ['jobday/', 'jobid0'],
  [bootKey, `${bootKey}\0`],
  ['jobvalue0', '\uffff'],
];

const since = Date.UTC(2020, 0);
const stepMs = 10 * 60_000;

/**
 * Above every number that a start of the lost supervisor may have had, also where a folder is restored twice: in steps of ten
 * minutes, by the clock.
 */
export const bootAfter = (boot: number, nowMs: number): number =>
  Math.max(boot + 100, Math.floor((nowMs - since) / stepMs));
