/** The Range header (RFC 9110, section 14.2): one range of bytes. Pure. */

export interface ByteRange {
  /** Both ends included. */
  readonly first: number;
  readonly last: number;
}

/**
 * @returns undefined for the whole: no range, several, another unit, or none that can be read, which a server may ignore;
 * `none` where nothing of it is there (416).
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'none' | undefined {
  const match = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/.exec(header ?? '');
  if (!match) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '') {
    if (to === '') return undefined;
    // The last so many.
    const count = Math.min(Number(to), size);
    return count === 0 ? 'none' : { first: size - count, last: size - 1 };
  }
  const first = Number(from);
  if (to !== '' && Number(to) < first) return undefined;
  if (first >= size) return 'none';
  return { first, last: to === '' ? size - 1 : Math.min(Number(to), size - 1) };
}
