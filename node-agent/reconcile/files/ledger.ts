/**
 * What Hearth put on this machine, by path: `<data>/items/files.json`. An intent is on stable storage before the machine
 * is touched, so that an agent that was killed knows at its next start what may be half done (recover.ts).
 *
 * The whole file is replaced at each commit; commits asked for while one is being written are one.
 */
import { join } from 'node:path';
import type { FileHost } from './host.ts';

/** Something under way at a path. */
export type Doing =
  /** A file is written at `temp` beside, then renamed over; or removed (`key` of an absent one). */
  | {
      readonly step: 'write';
      readonly temp: string;
      readonly key: string;
      /** Of the content, where it is known: hex. */
      readonly sha256: string;
      /** What is at the path is not Hearth's; its identity, `""` for nothing. Undefined: it is Hearth's. */
      readonly was: string | undefined;
    }
  /** The folder `temp` is being filled; nothing else was touched. */
  | { readonly step: 'unpack'; readonly temp: string; readonly fresh: boolean }
  /** `temp` is whole: what is at the path goes to `aside` beside (undefined: to the originals), then `temp` to the path. */
  | {
      readonly step: 'swap';
      readonly temp: string;
      readonly aside: string | undefined;
      readonly was: string | undefined;
      readonly becomes: Omit<Entry, 'doing'>;
    }
  /** What was there before comes back. `back`: identity of what will be at the path when it is done. */
  | { readonly step: 'restore'; readonly temp: string; readonly aside: string; readonly back: string | undefined };

/** One path that Hearth looks after. */
export interface Entry {
  /** Name of the item. */
  readonly item: string;
  readonly what: 'file' | 'folder' | 'absent';
  /** Which target it was made to be (target.ts); `""`: none yet. */
  readonly key: string;
  /** Of the content of a file, of the archive of a folder: hex. `""` where there is none. */
  readonly sha256: string;
  /** Whose it is, as written. */
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** A file's fingerprint right after it was written. */
  readonly seen: string;
  /** What was there before Hearth is in the originals. */
  readonly kept: boolean;
  /** Folders that were made for it, outermost first. */
  readonly folders: readonly string[];
  readonly doing?: Doing | undefined;
}

/** Entries at most: twice what a node may have, since what is restored counts too. */
const mostBytes = 16 * 1024 * 1024;

export class Ledger {
  readonly #entries = new Map<string, Entry>();
  readonly #host: FileHost;
  readonly #file: string;
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #dirty = false;

  constructor(host: FileHost, folder: string) {
    this.#host = host;
    this.#file = join(folder, 'files.json');
  }

  get entries(): ReadonlyMap<string, Entry> {
    return this.#entries;
  }

  /** @returns one sentence where the ledger was damaged and was put aside; kept originals are found by their path all the same. */
  async load(): Promise<string | undefined> {
    if (!(await this.#host.lstat(this.#file))) return undefined;
    const bytes = await this.#host.read(this.#file, mostBytes);
    const read = bytes && parse(bytes.toString());
    if (read) {
      for (const [path, entry] of read) this.#entries.set(path, entry);
      return undefined;
    }
    await this.#host.rename(this.#file, `${this.#file}.damaged`);
    return `${this.#file} could not be read and is now ${this.#file}.damaged: what Hearth put on this machine is found out anew`;
  }

  /** In memory; on disk with the next {@link commit}. */
  set(path: string, entry: Entry | undefined): void {
    if (entry) this.#entries.set(path, entry);
    else this.#entries.delete(path);
    this.#dirty = true;
  }

  /** The same item has another name now: not worth a write of its own. */
  rename(path: string, item: string): void {
    const entry = this.#entries.get(path);
    if (entry) this.#entries.set(path, { ...entry, item });
  }

  /** Resolves when all that was set before is on stable storage. */
  commit(): Promise<void> {
    this.#next ??= this.#writing.then(async () => {
      // All that is asked for in this turn of the loop goes with it.
      await new Promise(resolve => setImmediate(resolve));
      this.#next = undefined;
      this.#dirty = false;
      const written = this.#host.replace(this.#file, JSON.stringify({ version: 1, entries: [...this.#entries] }));
      this.#writing = written.catch(() => {
        this.#dirty = true;
      });
      await written;
    });
    return this.#next;
  }

  /** Writes what an earlier commit could not. */
  async flush(): Promise<void> {
    if (this.#dirty) await this.commit();
  }
}

function parse(text: string): Map<string, Entry> | undefined {
  try {
    const { version, entries } = JSON.parse(text) as { version?: unknown; entries?: unknown };
    if (version !== 1 || !Array.isArray(entries) || !entries.every(isEntry)) return undefined;
    return new Map(entries);
  } catch {
    return undefined;
  }
}

function isEntry(value: unknown): value is [string, Entry] {
  if (!Array.isArray(value) || typeof value[0] !== 'string' || !value[0].startsWith('/')) return false;
  const entry = value[1] as Partial<Entry> | null;
  if (typeof entry !== 'object' || entry === null) return false;
  const areTexts = [entry.item, entry.what, entry.key, entry.sha256, entry.seen].every(
    text => typeof text === 'string',
  );
  const areNumbers = [entry.uid, entry.gid, entry.mode].every(number => Number.isSafeInteger(number));
  return areTexts && areNumbers && typeof entry.kept === 'boolean' && Array.isArray(entry.folders);
}
