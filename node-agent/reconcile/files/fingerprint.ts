/** How a file is known again without reading it. */
import type { BigIntStats } from 'node:fs';

export type Kind = 'file' | 'folder' | 'symlink' | 'other';

export const kindOf = (stat: BigIntStats): Kind =>
  stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : stat.isSymbolicLink() ? 'symlink' : 'other';

/** Equal: nobody wrote it, replaced it, or changed its permissions since. Inode, size, times in ns, mode, owner. */
export const fingerprint = (stat: BigIntStats): string =>
  [stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs, stat.mode, stat.uid, stat.gid].map(n => n.toString(36)).join(' ');

/** The same thing under whatever name on its file system; a file that takes another's place has another. */
export const identity = (stat: BigIntStats): string => stat.ino.toString(36);

/** Permission bits alone. */
export const modeOf = (stat: BigIntStats): number => Number(stat.mode & 0o7777n);

export const octal = (mode: number): string => mode.toString(8).padStart(4, '0');
