/** Uploads that go on where they were cut off: one at a time for each hash, the newest connection before an older one. */
import type { Readable } from 'node:stream';
import { type Appended, ArtifactError, type Promised, type Stored } from './artifact-store.ts';
import { appendTo, hashOf, type Partials } from './partials.ts';
import { otherHash, otherSize, readable, stoodStill } from './refusals.ts';

export type Resuming = Promised & { readonly size: number; readonly offset: number };

/** What the store does for them. */
export interface ResumedParts {
  readonly partials: Partials;
  readonly idleMs: number;
  /** Counts an upload in. @throws where there are too many. */
  enter(upload: AbortController): void;
  leave(upload: AbortController): void;
  /** Room for so many bytes in all. */
  reserve(upload: AbortController, bytes: number): Promise<void>;
  /** The file at `path` has the hash and size that was promised, and becomes the artifact. */
  keep(path: string, promised: Resuming): Promise<Stored>;
}

interface Line {
  readonly stop: AbortController;
  readonly over: Promise<void>;
  bytes: number;
}

export class Resumed {
  readonly #parts: ResumedParts;
  readonly #lines = new Map<string, Line>();

  constructor(parts: ResumedParts) {
    this.#parts = parts;
  }

  /** How much is here, of what is under way, too. */
  offset(sha256: string): number {
    return this.#lines.get(sha256)?.bytes ?? this.#parts.partials.offset(sha256);
  }

  async append(body: Readable, promised: Resuming): Promise<Appended> {
    const { sha256 } = promised;
    // It may be ended before anybody reads it.
    body.on('error', () => {});
    // Who was cut off comes again before this side knows that the old line is dead.
    for (let before = this.#lines.get(sha256); before; before = this.#lines.get(sha256)) {
      before.stop.abort(new ArtifactError(409, 'This upload goes on by another connection.'));
      await before.over;
    }
    const stop = new AbortController();
    this.#parts.enter(stop);
    let ended = () => {};
    const over = new Promise<void>(resolve => {
      ended = resolve;
    });
    const line: Line = { stop, over, bytes: promised.offset };
    this.#lines.set(sha256, line);
    try {
      return await this.#run(body, promised, line);
    } catch (error) {
      throw readable(error, stop.signal);
    } finally {
      this.#parts.leave(stop);
      this.#lines.delete(sha256);
      ended();
    }
  }

  async #run(body: Readable, promised: Resuming, line: Line): Promise<Appended> {
    const { partials, idleMs } = this.#parts;
    const { sha256, size, offset } = promised;
    const { handle, bytes } = await partials.take(sha256);
    const { signal } = line.stop;
    const end = () => body.destroy(signal.reason);
    const idle = setTimeout(() => line.stop.abort(stoodStill(idleMs)), idleMs);
    let keep = true;
    try {
      signal.throwIfAborted();
      signal.addEventListener('abort', end, { once: true });
      keep = bytes <= size;
      line.bytes = keep ? bytes : 0;
      if (line.bytes !== offset) {
        throw new ArtifactError(
          409,
          `The upload of ${sha256} goes on at byte ${line.bytes}, not ${offset}.`,
          line.bytes,
        );
      }
      await this.#parts.reserve(line.stop, size);
      const got = await appendTo(handle, bytes, body, piece => {
        idle.refresh();
        line.bytes += piece.length;
        if (line.bytes <= size) return;
        keep = false;
        throw otherSize(sha256, size, line.bytes);
      });
      if (got < size) return { offset: got };
      clearTimeout(idle);
      // A second or more for a gigabyte, in pieces: everything else goes on meanwhile.
      const is = await hashOf(handle);
      keep = is === sha256;
      if (!keep) throw otherHash(is, sha256);
      return { offset: size, stored: await this.#parts.keep(partials.path(sha256), promised) };
    } finally {
      clearTimeout(idle);
      signal.removeEventListener('abort', end);
      await handle.close();
      if (keep) await partials.leave(sha256, Date.now());
      else await partials.drop(sha256);
    }
  }
}
