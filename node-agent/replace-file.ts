/** Small files of an agent's folder: read whole and bounded, and replaced so that nobody ever reads half of one. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Reads a file of at most `most` bytes; undefined where there is none. */
export function readBounded(path: string, most: number): string | undefined {
  try {
    if (statSync(path).size > most) throw new Error(`it is larger than ${most} bytes`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Beside, 0600, then renamed over: a reader sees the old file or the new one. `synced`: it is on stable storage on return. */
export function replaceFile(folder: string, name: string, text: string, synced: boolean): void {
  const path = join(folder, name);
  const beside = `${path}.new`;
  const file = openSync(beside, 'w', 0o600);
  try {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    if (synced) fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(beside, path);
  if (synced) syncFolder(folder);
}

/** Removes files that may not be there, for good. */
export function removeFiles(folder: string, ...names: readonly string[]): void {
  for (const name of names) rmSync(join(folder, name), { force: true });
  syncFolder(folder);
}

/** What was renamed or removed is in the folder, and the folder is a file too. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
