/**
 * The mirror's files on disk. One file each: a head of fixed length, JSON that says what it is and when it came, then the
 * bytes. It appears whole or not at all. Its modification time says when it was last used; what was used longest ago goes first.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MirrorError } from './mirror-error.ts';

export const headBytes = 4096;

const meta = z.object({
  format: z.literal(1),
  /** Where it came from, for people who look into the folder. */
  url: z.string().max(2048),
  size: z.number().int().nonnegative(),
  type: z.string().max(200).optional(),
  etag: z.string().max(300).optional(),
  lastModified: z.string().max(100).optional(),
  /** Wall clock, when upstream last said that it is so. */
  fetchedMs: z.number(),
});
export type Meta = Omit<z.output<typeof meta>, 'format'>;

export interface MirrorLimits {
  /** Bytes of all together. */
  readonly total: number;
  readonly count: number;
  /** Of one file. */
  readonly one: number;
  /** Bytes of the disk that are never taken. */
  readonly keepFree: number;
}

/** Where nobody says otherwise: 20 GB, or a tenth of a smaller disk. */
export const usualLimits = (diskBytes: number): MirrorLimits => ({
  total: Math.min(20 * 1024 ** 3, Math.floor(diskBytes / 10)),
  count: 50_000,
  one: 4 * 1024 ** 3,
  keepFree: Math.min(1024 ** 3, Math.floor(diskBytes / 20)),
});

interface Entry {
  bytes: number;
  usedAt: number;
  /** Read once. */
  meta?: Meta;
}

/** A file that comes. Its bytes go after the head. */
export interface Draft {
  readonly key: string;
  readonly path: string;
  readonly handle: FileHandle;
  /** Spoken for, in bytes. */
  room: number;
}

const named = /^[0-9a-f]{64}$/;
const useMs = 60_000;

export class MirrorStore {
  readonly limits: MirrorLimits;
  readonly #folder: string;
  readonly #now: () => number;
  readonly #entries: Map<string, Entry>;
  readonly #drafts = new Set<Draft>();
  #bytes = 0;
  #serial = 0;

  private constructor(folder: string, now: () => number, limits: MirrorLimits, entries: Map<string, Entry>) {
    this.#folder = folder;
    this.#now = now;
    this.limits = limits;
    this.#entries = entries;
    for (const { bytes } of entries.values()) this.#bytes += bytes;
  }

  /** @param now wall clock. */
  static async open(folder: string, now: () => number, limits: Partial<MirrorLimits> = {}): Promise<MirrorStore> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const disk = await statfs(folder);
    const found: [string, Entry][] = [];
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if (!named.test(name)) await rm(path, { recursive: true, force: true });
      else {
        const { size, mtimeMs } = await stat(path);
        found.push([name, { bytes: size, usedAt: mtimeMs }]);
      }
    }
    // A map goes through its keys in the order in which they came: here always the one used longest ago first.
    found.sort(([, a], [, b]) => a.usedAt - b.usedAt);
    return new MirrorStore(folder, now, { ...usualLimits(disk.blocks * disk.bsize), ...limits }, new Map(found));
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#entries.size;
  }

  /** What is here, if it is whole. */
  async find(key: string): Promise<Meta | undefined> {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    entry.meta ??= await this.#readMeta(key, entry.bytes);
    if (!entry.meta) {
      await this.drop(key);
      return undefined;
    }
    await this.#use(key, entry);
    return entry.meta;
  }

  /** For reading; it can be read to its end even where it is thrown out meanwhile. Its bytes begin after the head. */
  openFile(key: string): Promise<FileHandle> {
    return open(this.#path(key), constants.O_RDONLY | constants.O_NOFOLLOW);
  }

  /** Upstream says that it is still so. */
  async refresh(key: string, fetchedMs: number): Promise<Meta | undefined> {
    const entry = this.#entries.get(key);
    if (!entry?.meta) return undefined;
    entry.meta = { ...entry.meta, fetchedMs };
    const handle = await open(this.#path(key), constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      await handle.write(headOf(entry.meta), 0, headBytes, 0);
    } finally {
      await handle.close();
    }
    return entry.meta;
  }

  async begin(key: string): Promise<Draft> {
    const path = join(this.#folder, `${key}.${this.#serial++}.part`);
    const draft: Draft = { key, path, handle: await open(path, 'wx+', 0o600), room: 0 };
    this.#drafts.add(draft);
    return draft;
  }

  /** @throws MirrorError 507 where there is no room for so many bytes. */
  async reserve(draft: Draft, bytes: number): Promise<void> {
    const { one, total, count, keepFree } = this.limits;
    if (bytes > one) throw new MirrorError(502, `A file of more than ${one} bytes is not mirrored.`);
    draft.room = bytes + headBytes;
    let coming = 0;
    for (const { room } of this.#drafts) coming += room;
    const disk = await statfs(this.#folder);
    // What has come of the drafts is on the disk already; counted twice it errs on the safe side.
    let free = disk.bavail * disk.bsize - keepFree - coming;
    for (const [key, entry] of this.#entries) {
      if (this.#bytes + coming <= total && this.#entries.size < count && free >= 0) return;
      free += entry.bytes;
      await this.drop(key);
    }
    if (coming > total || free < 0) {
      draft.room = 0;
      throw new MirrorError(507, "There is no room for this in the mirror: the supervisor's disk is nearly full.");
    }
  }

  /** It is whole: from now on it is here. */
  async finish(draft: Draft, said: Meta): Promise<void> {
    const { key, handle, path } = draft;
    await handle.write(headOf(said), 0, headBytes, 0);
    await handle.datasync();
    await handle.close();
    await rename(path, this.#path(key));
    // In one turn with the end of its flight: who sees it here does not meet the flight that brought it any more.
    this.#drafts.delete(draft);
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
    const entry = { bytes: said.size + headBytes, usedAt: this.#now(), meta: said };
    this.#entries.set(key, entry);
    this.#bytes += entry.bytes;
  }

  /** It did not come whole: nothing of it stays. */
  async abandon(draft: Draft): Promise<void> {
    await rm(draft.path, { force: true });
    this.#drafts.delete(draft);
    await draft.handle.close();
  }

  async drop(key: string): Promise<void> {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
    await rm(this.#path(key), { force: true });
  }

  #path(key: string): string {
    return join(this.#folder, key);
  }

  /** The one used last is the last of the map. */
  async #use(key: string, entry: Entry): Promise<void> {
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const now = this.#now();
    if (Math.abs(now - entry.usedAt) < useMs) return;
    entry.usedAt = now;
    await utimes(this.#path(key), now / 1000, now / 1000).catch(() => {});
  }

  async #readMeta(key: string, bytes: number): Promise<Meta | undefined> {
    try {
      const handle = await this.openFile(key);
      try {
        const { buffer } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
        const { format: _, ...found } = meta.parse(JSON.parse(buffer.toString('utf8')));
        return found.size + headBytes === bytes ? found : undefined;
      } finally {
        await handle.close();
      }
    } catch {
      return undefined;
    }
  }
}

/** Padded with spaces, which JSON allows. */
function headOf(said: Meta): Buffer {
  const text = Buffer.from(JSON.stringify({ format: 1, ...said }));
  if (text.length > headBytes) throw new MirrorError(502, 'What upstream says of this file is too long.');
  return Buffer.concat([text, Buffer.alloc(headBytes - text.length, ' ')]);
}
