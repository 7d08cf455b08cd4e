/** The {@link ArtifactStore} on disk. */
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Log } from '../../shared/log.ts';
import {
  type Artifact,
  ArtifactError,
  type ArtifactStore,
  type ByteRange,
  type Promised,
  type Stored,
} from './artifact-store.ts';
import { type Bounds, makeRoom } from './room.ts';
import { hashShape, Shelf, type Shelved } from './shelf.ts';

export interface StoreLimits extends Bounds {
  /** Bytes of one. */
  readonly one: number;
  /** Bytes of the disk that are never taken: the journal needs them more. */
  readonly keepFree: number;
  /** How many are taken in at the same time. */
  readonly atOnce: number;
  /** An upload that brings nothing for so long ends. */
  readonly idleMs: number;
}

export const storeLimits: StoreLimits = {
  one: 1024 ** 3,
  total: 8 * 1024 ** 3,
  count: 20_000,
  keepFree: 256 * 1024 ** 2,
  atOnce: 8,
  idleMs: 30_000,
};

export interface StoreOptions {
  /** Made if it is missing, 0700. */
  readonly folder: string;
  readonly log: Log;
  readonly limits?: Partial<StoreLimits>;
}

/** Room for an upload of unknown size is taken in such steps. */
const stepBytes = 4 * 1024 ** 2;
/** A use is written down this often: it decides what goes first, and needs to be no finer. */
const useMs = 60_000;

export async function openArtifactStore({ folder, log, limits }: StoreOptions): Promise<ArtifactStore> {
  const shelf = new Shelf(folder);
  const found = await shelf.load();
  return new FileStore(shelf, found, { ...storeLimits, ...limits }, log);
}

class FileStore implements ArtifactStore {
  readonly #shelf: Shelf;
  readonly #kept: Map<string, Shelved>;
  readonly #limits: StoreLimits;
  readonly #log: Log;
  /** Bytes that each upload has or will have. */
  readonly #incoming = new Map<AbortController, number>();

  constructor(shelf: Shelf, found: readonly Shelved[], limits: StoreLimits, log: Log) {
    this.#shelf = shelf;
    this.#kept = new Map(found.map(one => [one.sha256, one]));
    this.#limits = limits;
    this.#log = log;
  }

  find(sha256: string): Artifact | undefined {
    const one = this.#kept.get(sha256);
    return one && this.#use(one);
  }

  async read(artifact: Artifact, range?: ByteRange): Promise<Readable> {
    try {
      const file = await this.#shelf.openFile(artifact.sha256);
      return file.createReadStream(range && { start: range.first, end: range.last });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // Somebody tidied the folder up by hand.
      this.#kept.delete(artifact.sha256);
      throw new ArtifactError(404, `There is no artifact ${artifact.sha256} here any more.`);
    }
  }

  async put(body: Readable, promised: Promised): Promise<Stored> {
    const { sha256, size } = promised;
    const { one, atOnce } = this.#limits;
    if (!hashShape.test(sha256)) {
      throw new ArtifactError(400, 'An artifact is named by its SHA-256: 64 of 0-9 and a-f.');
    }
    if (size !== undefined && size > one) throw tooLarge(one);
    const there = this.#kept.get(sha256);
    if (there) {
      if (size !== undefined && size !== there.size) throw otherSize(sha256, there.size, size);
      await this.#mark(there, promised);
      return { ...this.#use(there), fresh: false };
    }
    if (this.#incoming.size >= atOnce) {
      throw new ArtifactError(429, `${atOnce} artifacts are being taken in already: try again in a moment.`);
    }
    const upload = new AbortController();
    this.#incoming.set(upload, 0);
    const file = join(this.#shelf.incoming, randomBytes(12).toString('hex'));
    try {
      await this.#reserve(upload, size ?? 0);
      const got = await this.#receive(body, file, promised, upload);
      return await this.#keep(file, got, promised);
    } catch (error) {
      throw readable(error, upload.signal);
    } finally {
      this.#incoming.delete(upload);
      await rm(file, { force: true });
    }
  }

  async pin(sha256: string, pinned: boolean): Promise<void> {
    const one = this.#kept.get(sha256);
    if (one) await this.#mark(one, { pinned });
  }

  async close(): Promise<void> {
    for (const upload of this.#incoming.keys()) upload.abort(new ArtifactError(507, 'The supervisor is stopping.'));
  }

  async #receive(body: Readable, file: string, promised: Promised, upload: AbortController): Promise<number> {
    const { one, idleMs } = this.#limits;
    const hash = createHash('sha256');
    const most = promised.size ?? one;
    let got = 0;
    const idle = setTimeout(
      () => upload.abort(new ArtifactError(400, `The upload stood still for ${idleMs} ms.`)),
      idleMs,
    );
    const meter = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        idle.refresh();
        got += chunk.length;
        hash.update(chunk);
        if (got > most)
          return done(promised.size === undefined ? tooLarge(one) : otherSize(promised.sha256, most, got));
        if (got <= (this.#incoming.get(upload) ?? 0)) return done(null, chunk);
        this.#reserve(upload, Math.min(got + stepBytes, one)).then(() => done(null, chunk), done);
      },
    });
    try {
      await pipeline(body, meter, createWriteStream(file, { flags: 'wx', mode: 0o600 }), { signal: upload.signal });
    } finally {
      clearTimeout(idle);
    }
    if (promised.size !== undefined && got !== promised.size) throw otherSize(promised.sha256, promised.size, got);
    const is = hash.digest('hex');
    if (is !== promised.sha256) {
      throw new ArtifactError(400, `These bytes have the SHA-256 ${is}, not ${promised.sha256}: nothing was kept.`);
    }
    return got;
  }

  async #keep(file: string, size: number, promised: Promised): Promise<Stored> {
    const { sha256 } = promised;
    const fresh = !this.#kept.has(sha256);
    await this.#shelf.place(file, sha256);
    const one = this.#kept.get(sha256) ?? { sha256, size, open: false, pinned: false, usedAt: Date.now() };
    this.#kept.set(sha256, one);
    await this.#mark(one, promised);
    return { ...view(one), fresh };
  }

  /** Room for `bytes` of this upload, others thrown out for it where that helps. */
  async #reserve(upload: AbortController, bytes: number): Promise<void> {
    this.#incoming.set(upload, bytes);
    let total = 0;
    for (const each of this.#incoming.values()) total += each;
    const kept = [...this.#kept.values()];
    const { count, keepFree } = this.#limits;
    const disk = await statfs(this.#shelf.incoming);
    // Of what is being taken in a part is on the disk already; counted twice it errs on the safe side.
    const ours = kept.reduce((sum, { size }) => sum + size, 0) + disk.bavail * disk.bsize - keepFree;
    const bounds = { total: Math.min(this.#limits.total, ours), count };
    const out = makeRoom(kept, { total, count: this.#incoming.size }, bounds);
    if (!out) {
      throw new ArtifactError(
        507,
        'There is no room for this artifact: the disk is nearly full, or all that is here is pinned.',
      );
    }
    for (const sha256 of out) {
      this.#kept.delete(sha256);
      this.#log.info({ sha256 }, 'an artifact was thrown out for room');
      await this.#shelf.drop(sha256);
    }
  }

  /** What was once open or pinned stays so, unless it is said otherwise. */
  async #mark(one: Shelved, { open, pinned }: { open?: boolean; pinned?: boolean }): Promise<void> {
    if (open !== undefined && open !== one.open) {
      one.open = open;
      await this.#shelf.mark(one.sha256, 'open', open);
    }
    if (pinned !== undefined && pinned !== one.pinned) {
      one.pinned = pinned;
      await this.#shelf.mark(one.sha256, 'pinned', pinned);
    }
  }

  #use(one: Shelved): Artifact {
    const now = Date.now();
    if (Math.abs(now - one.usedAt) >= useMs) {
      one.usedAt = now;
      this.#shelf.used(one.sha256, now).catch(error => this.#log.debug({ error }, 'a use was not written down'));
    }
    return view(one);
  }
}

const view = ({ sha256, size, open }: Shelved): Artifact => ({ sha256, size, open });

const tooLarge = (one: number) => new ArtifactError(413, `An artifact may have ${one} bytes at most.`);
const otherSize = (sha256: string, is: number, got: number) =>
  new ArtifactError(400, `The artifact ${sha256} has ${is} bytes, not ${got}: nothing was kept.`);

/** What ended an upload, as the one who sent it can understand it. */
function readable(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new ArtifactError(507, "The supervisor's disk is full.");
  if (code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET') {
    return new ArtifactError(400, 'The upload ended before its end: nothing was kept.');
  }
  return error;
}
