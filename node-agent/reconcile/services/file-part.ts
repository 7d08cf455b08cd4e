/** Reading parts of files that others write to and may take away. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';

/**
 * `end` is where the next append goes, `stored` what it takes on disk: a writer without O_APPEND leaves a hole. Some file
 * systems count no blocks at all (FUSE, some network ones): there the hole counts too.
 */
export function sizeOf(path: string): { end: number; stored: number } {
  try {
    const { size, blocks } = statSync(path);
    return { end: size, stored: storedOf(size, blocks) };
  } catch {
    return { end: 0, stored: 0 };
  }
}

/** @param blocks of 512 bytes, as stat(2) counts them. */
export const storedOf = (size: number, blocks: number): number => (blocks === 0 ? size : Math.min(size, blocks * 512));

/** At most `length` bytes from `from` on; nothing where the file cannot be read. */
export function readPart(path: string, from: number, length: number): Buffer {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const buffer = Buffer.alloc(Math.max(0, Math.min(length, fstatSync(file).size - from)));
    return buffer.subarray(0, readSync(file, buffer, 0, buffer.length, from));
  } catch {
    return Buffer.alloc(0);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
