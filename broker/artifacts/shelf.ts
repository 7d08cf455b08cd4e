/**
 * The artifacts' folder. A file is named by the hash of its bytes and appears whole or not at all; an empty file beside it
 * with `.open` or `.pinned` at its end says the rest, one with `.name` what people call it, and its modification time when it was last used.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const hashShape = /^[0-9a-f]{64}$/;

export interface Shelved {
  readonly sha256: string;
  readonly size: number;
  open: boolean;
  pinned: boolean;
  usedAt: number;
  name?: string;
}

export class Shelf {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** What is there, once: from then on the store knows. What was cut off while it was taken in goes. */
  async load(): Promise<Shelved[]> {
    const { incoming } = this;
    await rm(incoming, { recursive: true, force: true });
    await mkdir(incoming, { recursive: true, mode: 0o700 });
    const names = new Set(await readdir(this.#folder));
    const found: Shelved[] = [];
    for (const name of names) {
      if (!hashShape.test(name)) continue;
      const file = await stat(join(this.#folder, name));
      if (!file.isFile()) continue;
      const [isOpen, pinned] = [names.has(`${name}.open`), names.has(`${name}.pinned`)];
      const called = names.has(`${name}.name`) ? await this.#nameOf(name) : undefined;
      const known = called === undefined ? {} : { name: called };
      found.push({ sha256: name, size: file.size, open: isOpen, pinned, usedAt: file.mtimeMs, ...known });
    }
    return found;
  }

  get incoming(): string {
    return join(this.#folder, 'incoming');
  }

  path(sha256: string): string {
    return join(this.#folder, sha256);
  }

  /** For reading; a symbolic link is none of ours. */
  openFile(sha256: string): Promise<FileHandle> {
    return open(this.path(sha256), constants.O_RDONLY | constants.O_NOFOLLOW);
  }

  /** The bytes are on stable storage before the name is. */
  async place(from: string, sha256: string): Promise<void> {
    const handle = await open(from, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(from, this.path(sha256));
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async mark(sha256: string, what: 'open' | 'pinned', is: boolean): Promise<void> {
    const file = `${this.path(sha256)}.${what}`;
    if (is) await writeFile(file, '', { mode: 0o600 });
    else await rm(file, { force: true });
  }

  async call(sha256: string, name: string): Promise<void> {
    await writeFile(`${this.path(sha256)}.name`, name, { mode: 0o600 });
  }

  async #nameOf(sha256: string): Promise<string | undefined> {
    const text = await readFile(`${this.path(sha256)}.name`, 'utf8').catch(() => '');
    return text === '' ? undefined : text.slice(0, 200);
  }

  async used(sha256: string, atMs: number): Promise<void> {
    await utimes(this.path(sha256), atMs / 1000, atMs / 1000);
  }

  /** The marks last: a file without its marks is private and may go. */
  async drop(sha256: string): Promise<void> {
    await rm(this.path(sha256), { force: true });
    for (const what of ['open', 'pinned', 'name']) await rm(`${this.path(sha256)}.${what}`, { force: true });
  }
}
