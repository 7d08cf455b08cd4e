/** A socket in a folder whose path is longer than a socket's may be. */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The least that a system allows is 104 with its end (macOS; Linux: 108). */
const longest = 100;

/** A path by which it can be connected to, until it is let go. Throws what the file system throws. */
export function shortPath(folder: string, name: string): { readonly path: string; letGo(): void } {
  const path = join(resolve(folder), name);
  if (Buffer.byteLength(path) <= longest) return { path, letGo() {} };
  // Nobody else can put anything into that folder.
  const place = mkdtempSync(join(tmpdir(), 'hearth-'));
  symlinkSync(resolve(folder), join(place, 'f'));
  return { path: join(place, 'f', name), letGo: () => rmSync(place, { recursive: true, force: true }) };
}
