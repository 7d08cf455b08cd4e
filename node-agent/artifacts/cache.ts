/**
 * The cache on disk. A file is named by the SHA-256 of its bytes and appears whole or not at all; what is not whole yet has
 * `.part` after its name and is gone on with by whoever fetches it next. Its modification time says when it was last used.
 */
import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Random } from '../../shared/clock.ts';
import { diskError, FetchError } from './fetch-error.ts';
import { openOwn, Part, readAll } from './part.ts';
import { roomFor, usualBound, usualReserve } from './room.ts';

export interface CacheOptions {
  /** Made where it is missing, 0700. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Bytes of all together. Default: 2 GB, or a tenth of a smaller disk. */
  readonly maxBytes?: number | undefined;
  /** Bytes of the disk that are never taken. Default: 256 MB, or a twentieth of a smaller disk. */
  readonly keepFree?: number | undefined;
}

interface Entry {
  bytes: number;
  usedAt: number;
  holds: number;
  /** As it was when its bytes were last compared with its name; absent: not by this process. */
  seen?: string;
}

export interface Held {
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
  release(): void;
  /** Held once more, by somebody else. */
  again(): Held;
}

/** Room that is spoken for by a file that comes. */
export interface Claim {
  bytes: number;
  readonly part: Part;
}

const whole = /^[0-9a-f]{64}$/;
const begun = /^[0-9a-f]{64}\.part$/;
/** A use is written down this often: it decides what goes first, and needs to be no finer. */
const useMs = 60_000;

export class Cache {
  /** The bound of all, and so of one. */
  readonly most: number;
  readonly #folder: string;
  readonly #keepFree: number;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #entries: Map<string, Entry>;
  readonly #claims = new Set<Claim>();
  #newest = 0;
  /** What is thrown out is gone before a file of that name comes anew. */
  #removing: Promise<unknown> = Promise.resolve();

  private constructor(options: CacheOptions, most: number, keepFree: number, entries: Map<string, Entry>) {
    this.#folder = options.folder;
    this.#clock = options.clock;
    this.#random = options.random;
    this.most = most;
    this.#keepFree = keepFree;
    this.#entries = entries;
    for (const { usedAt } of entries.values()) this.#newest = Math.max(this.#newest, usedAt);
  }

  /** @throws FetchError where the folder cannot be used. */
  static async open(options: CacheOptions): Promise<Cache> {
    const { folder } = options;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const disk = await statfs(folder);
      const size = disk.blocks * disk.bsize;
      const entries = new Map<string, Entry>();
      for (const name of await readdir(folder)) {
        const path = join(folder, name);
        const { size: bytes, mtimeMs: usedAt, isFile } = facts(await lstat(path));
        if (isFile && (whole.test(name) || begun.test(name))) entries.set(name, { bytes, usedAt, holds: 0 });
        // Of a file whose hash nobody knew: nothing can go on with it.
        else if (isFile && name.endsWith('.part')) await rm(path, { force: true });
      }
      const cache = new Cache(
        options,
        options.maxBytes ?? usualBound(size),
        options.keepFree ?? usualReserve(size),
        entries,
      );
      await cache.#makeRoom();
      return cache;
    } catch (error) {
      throw diskError(error, `the cache ${folder} cannot be used`);
    }
  }

  /** A copy that is here, its bytes compared with its name where this process has not done that. */
  async find(sha256: string): Promise<Held | undefined> {
    const entry = this.#entries.get(sha256);
    if (!entry) return undefined;
    const held = this.#hold(sha256, entry);
    if (await this.#isGood(sha256, entry).catch(() => false)) return held;
    held.release();
    this.#entries.delete(sha256);
    await rm(join(this.#folder, sha256), { force: true });
    return undefined;
  }

  /** What comes; with a known hash that is what came before, too. */
  async begin(sha256: string | undefined): Promise<Claim> {
    const name = `${sha256 ?? this.#random.hex(16)}.part`;
    const path = join(this.#folder, name);
    const before = this.#entries.get(name);
    this.#entries.delete(name);
    try {
      const part = await Part.open(path).catch(async error => {
        // Whatever lies there instead of a file of ours.
        if ((error as NodeJS.ErrnoException).code !== 'ELOOP') throw error;
        await rm(path, { force: true });
        return Part.open(path);
      });
      const claim: Claim = { bytes: part.bytes, part };
      this.#claims.add(claim);
      return claim;
    } catch (error) {
      if (before) this.#entries.set(name, before);
      throw diskError(error, `the cache ${this.#folder} takes no file`);
    }
  }

  /** @throws FetchError where there is no room for so many bytes in all. */
  async reserve(claim: Claim, bytes: number): Promise<void> {
    const before = claim.bytes;
    claim.bytes = Math.max(bytes, claim.part.bytes);
    try {
      await this.#makeRoom();
    } catch (error) {
      claim.bytes = before;
      throw error;
    }
  }

  /** It came whole: from now on it is under its hash. */
  async finish(claim: Claim, sha256: string): Promise<Held> {
    const { part } = claim;
    const path = join(this.#folder, sha256);
    try {
      await part.sync();
      await part.close();
      await this.#removing;
      await rename(part.path, path);
      await this.#syncFolder();
      const entry = this.#entries.get(sha256) ?? { bytes: part.bytes, usedAt: 0, holds: 0 };
      entry.usedAt = this.#now();
      entry.seen = mark(await lstat(path));
      this.#entries.set(sha256, entry);
      return this.#hold(sha256, entry);
    } catch (error) {
      throw diskError(error, `${path} cannot be kept`);
    } finally {
      this.#claims.delete(claim);
    }
  }

  /** It did not come whole. @param keep what came, for the next who tries. */
  async leave(claim: Claim, keep: boolean): Promise<void> {
    const { part } = claim;
    await part.close().catch(() => {});
    const name = part.path.slice(this.#folder.length + 1);
    if (keep && part.bytes > 0 && begun.test(name)) {
      this.#entries.set(name, { bytes: part.bytes, usedAt: this.#now(), holds: 0 });
    } else await rm(part.path, { force: true }).catch(() => {});
    this.#claims.delete(claim);
  }

  #hold(sha256: string, entry: Entry): Held {
    entry.holds += 1;
    let released = false;
    return {
      file: join(this.#folder, sha256),
      sha256,
      bytes: entry.bytes,
      release() {
        if (released) return;
        released = true;
        entry.holds -= 1;
      },
      again: () => this.#hold(sha256, entry),
    };
  }

  async #isGood(sha256: string, entry: Entry): Promise<boolean> {
    const path = join(this.#folder, sha256);
    if (entry.seen === undefined || entry.seen !== mark(await lstat(path))) {
      const handle = await openOwn(path, constants.O_RDONLY);
      try {
        const hash = createHash('sha256');
        await readAll(handle, piece => void hash.update(piece));
        if (hash.digest('hex') !== sha256) return false;
        const { size, isFile } = facts(await handle.stat());
        if (!isFile) return false;
        entry.bytes = size;
      } finally {
        await handle.close();
      }
    }
    const now = this.#now();
    if (now - entry.usedAt >= useMs) await utimes(path, now / 1000, now / 1000);
    entry.usedAt = now;
    entry.seen = mark(await lstat(path));
    return true;
  }

  async #makeRoom(): Promise<void> {
    const disk = await statfs(this.#folder).catch(error =>
      Promise.reject(diskError(error, `the cache ${this.#folder}`)),
    );
    let [coming, arrived] = [0, 0];
    for (const { bytes, part } of this.#claims) {
      coming += Math.max(bytes, part.bytes);
      arrived += part.bytes;
    }
    const kept = [...this.#entries].map(([name, { bytes, usedAt, holds }]) => ({
      name,
      bytes,
      usedAt,
      held: holds > 0,
    }));
    const space = { most: this.most, free: disk.bavail * disk.bsize, keepFree: this.#keepFree, coming, arrived };
    const out = roomFor(kept, space);
    if (!out) {
      // What is fetched later may be needed; what nobody asks for may not fill the disk.
      if (this.#claims.size === 0) return;
      throw new FetchError(
        `there is no room in ${this.#folder}: the disk has ${space.free} bytes free, of which ${space.keepFree} stay free, and the cache may have ${space.most}`,
        true,
      );
    }
    for (const name of out) this.#entries.delete(name);
    this.#removing = Promise.all([this.#removing, ...out.map(name => rm(join(this.#folder, name), { force: true }))]);
    await this.#removing;
  }

  /** Never less than before: a machine without a clock boots in 1970. */
  #now(): number {
    this.#newest = Math.max(this.#newest + 1, this.#clock.wall());
    return this.#newest;
  }

  async #syncFolder(): Promise<void> {
    const handle = await open(this.#folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

const facts = (stats: Stats) => ({ size: stats.size, mtimeMs: stats.mtimeMs, isFile: stats.isFile() });
const mark = ({ ino, size, mtimeMs, ctimeMs }: Stats): string => `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
