/** Small files of /proc and /sys below a root, so that tests can bring a machine of their own. Missing means undefined. */
import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** The kernel makes these files as they are read: what lies beyond this is not made at all. */
const mostBytes = 256 * 1024;

export class MachineFiles {
  readonly #root: string;
  #buffer = Buffer.allocUnsafeSlow(16 * 1024);

  constructor(root: string) {
    this.#root = root;
  }

  path(path: string): string {
    return join(this.#root, path);
  }

  /** The text of a file, cut at `most` bytes. */
  text(path: string, most = mostBytes): string | undefined {
    let file: number;
    try {
      file = openSync(join(this.#root, path), 'r');
    } catch {
      return undefined;
    }
    try {
      let length = 0;
      for (;;) {
        if (length === this.#buffer.length) this.#grow(Math.min(most, length * 2));
        const room = Math.min(this.#buffer.length, most) - length;
        if (room <= 0) break;
        const got = readSync(file, this.#buffer, length, room, null);
        if (got === 0) break;
        length += got;
      }
      return this.#buffer.toString('latin1', 0, length);
    } catch {
      // A sensor whose device is asleep or gone answers EIO, ENODEV or EAGAIN.
      return undefined;
    } finally {
      closeSync(file);
    }
  }

  /** A file that holds one number. */
  number(path: string): number | undefined {
    const text = this.text(path, 64)?.trim();
    if (text === undefined || text === '') return undefined;
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }

  /** Names in a folder, in natural order (`cpu2` before `cpu10`). */
  names(path: string): string[] {
    try {
      const names = readdirSync(join(this.#root, path));
      return names.length < 2 ? names : names.sort(natural());
    } catch {
      return [];
    }
  }

  exists(path: string): boolean {
    return existsSync(join(this.#root, path));
  }

  #grow(to: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(to, this.#buffer.length + 1));
    this.#buffer.copy(larger);
    this.#buffer = larger;
  }
}

let collator: Intl.Collator | undefined;

/** Made once, and only where there is something to sort: it costs more than what it sorts. */
function natural(): (a: string, b: string) => number {
  collator ??= new Intl.Collator('en', { numeric: true });
  return collator.compare;
}

/** A measure as it goes on the wire: rounded to what it is worth. */
export const rounded = (value: number, digits = 1): number => {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
};
