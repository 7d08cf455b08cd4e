/** What went wrong with one item, as the one sentence that people read. */
import { printable } from '../../../shared/names.ts';

/** Thrown inside this folder; `message` is a whole sentence. Anything else that is thrown is named by its code. */
export class Wrong extends Error {
  override readonly name = 'Wrong';
}

const meanings: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: make room, it is tried again by itself',
  EDQUOT: 'the disk quota is used up: make room, it is tried again by itself',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'a folder is in the place of the file: move it away, or name another path',
  ELOOP: 'a symlink is in the way that is not followed',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'a name on the path is too long',
  EIO: 'the disk does not answer (input/output error)',
  ETXTBSY: 'the program is running and cannot be written',
  EBUSY: 'it is in use by the system',
};

/** One sentence for an error of the file system at `path`, at most 300 characters. */
export function sentenceOf(error: unknown, path: string, isRoot: boolean): string {
  if (error instanceof Wrong) return cut(error.message);
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  const where = shown(path);
  if ((code === 'EACCES' || code === 'EPERM') && !isRoot) return cut(`${where}: needs root`);
  if (code === 'EACCES' || code === 'EPERM') return cut(`${where}: the system does not allow it, even to root`);
  const text = error instanceof Error ? error.message : String(error);
  return cut(`${where}: ${meanings[code] ?? printable(text, 160)}`);
}

/** A path as it may stand in a sentence. */
export const shown = (path: string): string => printable(path, 120);

const cut = (text: string): string => (text.length > 300 ? `${text.slice(0, 299)}…` : text);
