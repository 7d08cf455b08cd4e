/** The {@link ArtifactStore} on disk. */
import { createHash, randomBytes } from 'node:crypto';
import { open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Log } from '../../shared/log.ts';
import { printable } from '../../shared/names.ts';
import {
  type Appended,
  type Artifact,
  ArtifactError,
  type ArtifactStore,
  type ByteRange,
  type Listed,
  type Promised,
  type Stored,
} from './artifact-store.ts';
import { Partials } from './partials.ts';
import { noHash, noRoom, otherHash, otherSize, readable, stoodStill, tooLarge, tooMany } from './refusals.ts';
import { Resumed, type Resuming } from './resumed.ts';
import { type Bounds, type Kept, makeRoom } from './room.ts';
import { hashShape, Shelf, type Shelved } from './shelf.ts';
import { inWords, placesOf, type UsesOf } from './uses.ts';

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
const partial = '.partial';

export async function openArtifactStore({ folder, log, limits }: StoreOptions): Promise<ArtifactStore> {
  const shelf = new Shelf(folder);
  const found = await shelf.load();
  const partials = new Partials(join(folder, 'partial'));
  await partials.load(Date.now());
  return new FileStore(shelf, partials, found, { ...storeLimits, ...limits }, log);
}

class FileStore implements ArtifactStore {
  readonly #shelf: Shelf;
  readonly #kept: Map<string, Shelved>;
  readonly #partials: Partials;
  readonly #resumed: Resumed;
  readonly #limits: StoreLimits;
  readonly #log: Log;
  #uses: UsesOf = () => [];
  /** Bytes that each upload has or will have. */
  readonly #incoming = new Map<AbortController, number>();

  constructor(shelf: Shelf, partials: Partials, found: readonly Shelved[], limits: StoreLimits, log: Log) {
    this.#shelf = shelf;
    this.#partials = partials;
    this.#resumed = new Resumed({
      partials,
      idleMs: limits.idleMs,
      enter: upload => this.#enter(upload),
      leave: upload => void this.#incoming.delete(upload),
      reserve: (upload, bytes) => this.#reserve(upload, bytes),
      keep: (path, promised) => this.#keep(path, promised.size, promised),
    });
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
    const { size } = promised;
    const there = this.#there(promised);
    if (there) return this.#again(there, promised);
    const upload = new AbortController();
    this.#enter(upload);
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

  offset(sha256: string): { readonly offset: number; readonly complete: boolean } {
    const there = this.#kept.get(sha256);
    return there ? { offset: there.size, complete: true } : { offset: this.#resumed.offset(sha256), complete: false };
  }

  async append(body: Readable, promised: Resuming): Promise<Appended> {
    const there = this.#there(promised);
    if (!there) return this.#resumed.append(body, promised);
    return { offset: there.size, stored: await this.#again(there, promised) };
  }

  list(): readonly Listed[] {
    const uses = [...this.#uses()];
    const newestFirst = [...this.#kept.values()].sort((a, b) => b.usedAt - a.usedAt);
    return newestFirst.map(one => ({ ...one, uses: placesOf(uses, one.sha256) }));
  }

  async remove(sha256: string): Promise<void> {
    const one = this.#kept.get(sha256);
    if (!one) throw new ArtifactError(404, `There is no artifact ${printable(sha256)} here.`);
    const places = placesOf(this.#uses(), sha256);
    if (places.length > 0) {
      const text = `The artifact ${sha256} is in use (${inWords(places)}): take it out of there first.`;
      throw new ArtifactError(409, text);
    }
    if (one.pinned) {
      throw new ArtifactError(409, `The artifact ${sha256} is what machines that join are given: it stays.`);
    }
    this.#kept.delete(sha256);
    await this.#shelf.drop(sha256);
  }

  keepUsed(uses: UsesOf): void {
    this.#uses = uses;
  }

  async pin(sha256: string, pinned: boolean): Promise<void> {
    const one = this.#kept.get(sha256);
    if (one) await this.#mark(one, { pinned });
  }

  async close(): Promise<void> {
    for (const upload of this.#incoming.keys()) upload.abort(new ArtifactError(507, 'The supervisor is stopping.'));
  }

  /** What is here already is not read again. @throws where it can never be here. */
  #there({ sha256, size }: Promised): Shelved | undefined {
    const { one } = this.#limits;
    if (!hashShape.test(sha256)) throw noHash();
    if (size !== undefined && size > one) throw tooLarge(one);
    const there = this.#kept.get(sha256);
    if (there && size !== undefined && size !== there.size) throw otherSize(sha256, there.size, size);
    return there;
  }

  async #again(there: Shelved, promised: Promised): Promise<Stored> {
    await this.#mark(there, promised);
    return { ...this.#use(there), fresh: false };
  }

  #enter(upload: AbortController): void {
    const { atOnce } = this.#limits;
    if (this.#incoming.size >= atOnce) throw tooMany(atOnce);
    this.#incoming.set(upload, 0);
  }

  async #receive(body: Readable, file: string, promised: Promised, upload: AbortController): Promise<number> {
    const { one, idleMs } = this.#limits;
    const hash = createHash('sha256');
    const most = promised.size ?? one;
    let got = 0;
    const idle = setTimeout(() => upload.abort(stoodStill(idleMs)), idleMs);
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
      // It is there before anything can end this: a stream that is still opening its file would make it after it was removed.
      const handle = await open(file, 'wx', 0o600);
      await pipeline(body, meter, handle.createWriteStream(), { signal: upload.signal });
    } finally {
      clearTimeout(idle);
    }
    if (promised.size !== undefined && got !== promised.size) throw otherSize(promised.sha256, promised.size, got);
    const is = hash.digest('hex');
    if (is !== promised.sha256) throw otherHash(is, promised.sha256);
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
    const begun = this.#partials.kept();
    // Of the same hash there may be an artifact and a beginning.
    const kept = [...this.#kept.values(), ...begun.map(one => ({ ...one, sha256: `${one.sha256}${partial}` }))];
    const { count, keepFree } = this.#limits;
    const disk = await statfs(this.#shelf.incoming);
    // Of what is being taken in a part is on the disk already; counted twice it errs on the safe side.
    const ours = kept.reduce((sum, { size }) => sum + size, 0) + disk.bavail * disk.bsize - keepFree;
    const bounds = { total: Math.min(this.#limits.total, ours), count };
    const taken = { total, count: this.#incoming.size };
    const easy = makeRoom(kept, taken, bounds);
    // The documents of all nodes are looked through only where something has to go.
    const out = easy?.length === 0 ? easy : makeRoom(this.#withUses(kept), taken, bounds);
    if (!out) throw noRoom();
    for (const sha256 of out) {
      if (sha256.endsWith(partial)) {
        await this.#partials.drop(sha256.slice(0, -partial.length));
        continue;
      }
      this.#kept.delete(sha256);
      this.#log.info({ sha256 }, 'an artifact was thrown out for room');
      await this.#shelf.drop(sha256);
    }
  }

  #withUses(kept: readonly Kept[]): readonly Kept[] {
    const used = new Set([...this.#uses()].map(({ sha256 }) => sha256));
    return kept.map(one => (used.has(one.sha256) ? { ...one, pinned: true } : one));
  }

  /** What was once open or pinned stays so, unless it is said otherwise. */
  async #mark(one: Shelved, { open, pinned, name }: Pick<Promised, 'open' | 'pinned' | 'name'>): Promise<void> {
    if (name !== undefined && name !== '' && name !== one.name) {
      one.name = printable(name, 100);
      await this.#shelf.call(one.sha256, one.name);
    }
    if (open !== undefined && open !== one.open) {
      one.open = open;
      await this.#shelf.mark(one.sha256, 'open', open);
    }
    if (pinned !== undefined && pinned !== one.pinned) {
      one.pinned = pinned;
      await this.#shelf.mark(one.sha256, 'pinned', pinned);
    }
  }

  #use(one: Shelved): ReturnType<typeof view> {
    const now = Date.now();
    if (Math.abs(now - one.usedAt) >= useMs) {
      one.usedAt = now;
      this.#shelf.used(one.sha256, now).catch(error => this.#log.debug({ error }, 'a use was not written down'));
    }
    return view(one);
  }
}

const view = ({ sha256, size, open, name }: Shelved): Artifact & { readonly name?: string } => ({
  ...{ sha256, size, open },
  ...(name !== undefined && { name }),
});
