/**
 * What was at a path before Hearth, kept once in `<data>/items/originals/`: the very same file (a second name of it) or
 * folder where that is on the same file system, else a copy with permissions, owner and times.
 */
import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { kindOf } from './fingerprint.ts';
import type { FileHost } from './host.ts';
import { type CopyLimits, copyTree, removeTree } from './trees.ts';
import { shown, Wrong } from './wrong.ts';

export class Originals {
  readonly folder: string;
  readonly #host: FileHost;
  readonly #limits: CopyLimits;

  constructor(host: FileHost, folder: string, limits: CopyLimits) {
    this.#host = host;
    this.folder = join(folder, 'originals');
    this.#limits = limits;
  }

  /** Where the original of a path is kept. */
  at(path: string): string {
    return join(this.folder, createHash('sha256').update(path).digest('hex').slice(0, 32));
  }

  /** What is kept of a path; undefined for nothing. */
  look(path: string): Promise<BigIntStats | undefined> {
    return this.#host.lstat(this.at(path));
  }

  /** Keeps a file or symlink that stays where it is. On stable storage on return. */
  async keepFile(path: string, at: string, stat: BigIntStats): Promise<void> {
    if (kindOf(stat) === 'other') throw new Wrong(`${shown(path)} is a pipe, socket or device: move it away first`);
    try {
      await this.#host.link(at, this.at(path));
    } catch (error) {
      // Another file system, one without links, or a system that does not let us link other users' files.
      const { code = '' } = error as NodeJS.ErrnoException;
      if (!['EXDEV', 'EPERM', 'EACCES', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'].includes(code))
        throw error;
      await this.keepCopy(path, at);
    }
    await this.#host.syncFolder(this.folder);
  }

  /** Keeps a copy. */
  async keepCopy(path: string, at: string): Promise<void> {
    const beside = `${this.at(path)}.new`;
    await removeTree(this.#host, beside);
    await copyTree(this.#host, at, beside, this.#limits);
    await this.#host.rename(beside, this.at(path));
    await this.#host.syncFolder(this.folder);
  }

  /** A copy of what is kept, made where it will be renamed from. */
  copyBack(path: string, to: string): Promise<void> {
    return copyTree(this.#host, this.at(path), to, this.#limits);
  }

  /** Forgets what is kept, whole or half. */
  async drop(path: string): Promise<void> {
    await removeTree(this.#host, `${this.at(path)}.new`);
    await removeTree(this.#host, this.at(path));
  }
}
