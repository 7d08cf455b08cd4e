/** Whether what is here may be served without asking upstream. Pure. */
import type { Meta } from './store.ts';
import type { Wanted } from './upstreams.ts';

/** An index is asked about again after this: releases of a distribution come by the hour, and people wait for their own. */
export const indexMs = 2 * 60_000;
/** An upstream that did not answer is not asked again for so long where there is something to serve instead. */
export const awayMs = 30_000;

/** @param now wall clock: one that was put back makes everything stale, and nothing fresh for ever. */
export function isFresh(
  { immutable }: Pick<Wanted, 'immutable'>,
  { fetchedMs }: Pick<Meta, 'fetchedMs'>,
  now: number,
): boolean {
  const age = now - fetchedMs;
  return immutable || (age >= 0 && age < indexMs);
}

/** Whether an asker has it already (RFC 9110, section 13.1). */
export function isKnown(
  asked: { readonly ifNoneMatch?: string | undefined; readonly ifModifiedSince?: string | undefined },
  { etag, lastModified }: Pick<Meta, 'etag' | 'lastModified'>,
): boolean {
  if (asked.ifNoneMatch !== undefined) {
    const bare = etag?.replace(/^W\//, '');
    return asked.ifNoneMatch
      .split(',')
      .some(one => one.trim() === '*' || (bare !== undefined && one.trim().replace(/^W\//, '') === bare));
  }
  if (asked.ifModifiedSince === undefined || lastModified === undefined) return false;
  const [since, last] = [Date.parse(asked.ifModifiedSince), Date.parse(lastModified)];
  return since >= last;
}
