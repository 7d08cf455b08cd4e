/**
 * What may come out of an archive, judged name by name. Pure. An archive is hostile: nothing of it may end up outside of
 * its folder, be a device, a pipe or a socket, raise anybody's rights, or take more room than it is allowed to.
 *
 * Symlinks are made last, so nothing is ever written through one, and one may only lead to a place inside: it is relative,
 * and `..` stands at its beginning alone. No entry stands below a symlink of the archive, so the folder that a symlink
 * stands in is really where its name says, and a way that goes up no further than the archive's folder and then only
 * down stays inside, through however many of them.
 */
import { Wrong } from '../wrong.ts';

export interface ArchiveLimits {
  /** Entries, folders too. */
  readonly entries: number;
  /** Bytes of all files together. */
  readonly bytes: number;
  /** Bytes unpacked for one byte packed, once there are more than `ratioFrom`. */
  readonly ratio: number;
  readonly ratioFrom: number;
  /** Bytes of one name, and its folders. */
  readonly name: number;
  readonly depth: number;
}

export const archiveLimits: ArchiveLimits = {
  entries: 20_000,
  bytes: 4 * 1024 ** 3,
  ratio: 200,
  ratioFrom: 32 * 1024 ** 2,
  name: 1024,
  depth: 48,
};

export interface ArchiveEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'symlink' | 'link' | 'other';
  /** Permissions as the archive says; undefined: it does not. */
  readonly mode: number | undefined;
  /** Of a symlink or link: where it leads. */
  readonly target?: string;
}

export type Made =
  | { readonly kind: 'file' | 'folder'; readonly path: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  /** A second name of a file of the archive that came before. */
  | { readonly kind: 'link'; readonly path: string; readonly of: string };

export class Judge {
  readonly #limits: ArchiveLimits;
  readonly #strip: number;
  /** Relative path -> what it is; a folder that was only named by what is in it, too. */
  readonly #known = new Map<string, Made['kind']>();
  /** The same for machines that take `A` and `a`, or two spellings of `é`, for one name. */
  readonly #folded = new Map<string, string>();
  #entries = 0;
  #bytes = 0;

  constructor(limits: ArchiveLimits, strip: number) {
    this.#limits = limits;
    this.#strip = strip;
  }

  /** @returns what to make, and the folders to make before; undefined: nothing of it is left after stripping. */
  judge(entry: ArchiveEntry): { readonly made: Made; readonly folders: readonly string[] } | undefined {
    if (++this.#entries > this.#limits.entries)
      throw new Wrong(`the archive has more than ${this.#limits.entries} entries`);
    const parts = this.#parts(entry.name).slice(this.#strip);
    if (parts.length === 0) {
      if (entry.kind === 'other')
        throw new Wrong(`the archive holds ${show(entry.name)}, which is no file, folder or link`);
      return undefined;
    }
    const path = parts.join('/');
    const folders: string[] = [];
    for (let at = 1; at < parts.length; at++) {
      const folder = parts.slice(0, at).join('/');
      const known = this.#known.get(folder);
      if (known === undefined) {
        this.#learn(folder, 'folder');
        folders.push(folder);
      } else if (known !== 'folder') {
        throw new Wrong(`the archive holds ${show(path)} below ${show(folder)}, which is no folder in it`);
      }
    }
    const made = this.#made(entry, path, parts.length);
    const known = this.#known.get(path);
    if (known === 'folder' && made.kind === 'folder') return { made, folders };
    if (known !== undefined) throw new Wrong(`the archive holds ${show(path)} twice`);
    this.#learn(path, made.kind);
    return { made, folders };
  }

  /** Bytes that came out of the archive, and those read of it so far. */
  count(bytes: number, packed: number): void {
    this.#bytes += bytes;
    const limits = this.#limits;
    if (this.#bytes > limits.bytes)
      throw new Wrong(`the archive becomes larger than ${Math.floor(limits.bytes / 1e6)} MB`);
    if (this.#bytes > limits.ratioFrom && this.#bytes > packed * limits.ratio) {
      throw new Wrong(`the archive grows to more than ${limits.ratio} times its size: it is taken for a bomb`);
    }
  }

  #parts(name: string): string[] {
    if (name.startsWith('/')) throw new Wrong(`the archive holds ${show(name)}, an absolute name`);
    if (Buffer.byteLength(name) > this.#limits.name)
      throw new Wrong(`the archive holds a name longer than ${this.#limits.name} bytes`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    if (/[\x00-\x1f\x7f\\\ufffd]/.test(name))
      throw new Wrong(`the archive holds ${show(name)}, a name with characters that are refused`);
    const parts = name.split('/').filter(part => part !== '' && part !== '.');
    if (parts.includes('..')) throw new Wrong(`the archive holds ${show(name)}, a name that leads out of its folder`);
    if (parts.length > this.#limits.depth) throw new Wrong(`the archive has folders deeper than ${this.#limits.depth}`);
    if (parts.some(part => Buffer.byteLength(part) > 255))
      throw new Wrong('the archive holds a name longer than 255 bytes');
    return parts;
  }

  #made(entry: ArchiveEntry, path: string, depth: number): Made {
    const { kind, target = '' } = entry;
    switch (kind) {
      // Rights to become somebody else are dropped, and so are those of everybody to write.
      case 'file':
        return { kind, path, mode: ((entry.mode ?? 0o644) & 0o755) | 0o400 };
      case 'folder':
        return { kind, path, mode: ((entry.mode ?? 0o755) & 0o755) | 0o700 };
      case 'symlink':
        checkSymlink(path, target, depth);
        return { kind, path, target };
      case 'link': {
        const of = this.#parts(target).slice(this.#strip).join('/');
        if (this.#known.get(of) !== 'file') {
          throw new Wrong(
            `the archive links ${show(path)} to ${show(target)}, which is no file that came before in it`,
          );
        }
        return { kind, path, of };
      }
      case 'other':
        throw new Wrong(`the archive holds ${show(path)}, which is no file, folder or link`);
    }
  }

  #learn(path: string, kind: Made['kind']): void {
    const folded = path.normalize('NFC').toLowerCase().normalize('NFC');
    const other = this.#folded.get(folded);
    if (other !== undefined && other !== path) {
      throw new Wrong(`the archive holds ${show(path)} and ${show(other)}, which differ only in how they are written`);
    }
    this.#folded.set(folded, path);
    this.#known.set(path, kind);
    // What is named only by what is in it counts as well.
    if (this.#known.size > this.#limits.entries)
      throw new Wrong(`the archive has more than ${this.#limits.entries} entries`);
  }
}

function checkSymlink(path: string, target: string, depth: number): void {
  const refuse = () => new Wrong(`the archive's symlink ${show(path)} leads out of its folder, to ${show(target)}`);
  if (target === '' || target.startsWith('/') || target.includes('\0') || target.length > 1024) throw refuse();
  const parts = target.split('/').filter(part => part !== '' && part !== '.');
  const ups = parts.findIndex(part => part !== '..');
  const leading = ups < 0 ? parts.length : ups;
  if (parts.slice(leading).includes('..') || leading > depth - 1) throw refuse();
}

const show = (name: string): string => JSON.stringify(name.length > 80 ? `${name.slice(0, 79)}…` : name);
