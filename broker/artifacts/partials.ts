/**
 * Uploads that were cut off, in a folder beside the artifacts: each is the beginning of the file that its name is the hash
 * of, and grows at its end alone. They are few, they go after a day, and they go for room before any artifact does.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Kept } from './room.ts';
import { hashShape } from './shelf.ts';

interface Partial {
  bytes: number;
  usedAt: number;
}

const mostKept = 16;
const keptMs = 86_400_000;
const pieceBytes = 256 * 1024;

export class Partials {
  readonly #folder: string;
  readonly #idle = new Map<string, Partial>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** What an earlier process left. */
  async load(nowMs: number): Promise<void> {
    for (const name of await readdir(this.#folder).catch((): string[] => [])) {
      const { size, mtimeMs } = await stat(this.path(name));
      if (hashShape.test(name)) this.#idle.set(name, { bytes: size, usedAt: mtimeMs });
      else await rm(this.path(name), { recursive: true, force: true });
    }
    await this.#tidy(nowMs);
  }

  path(sha256: string): string {
    return join(this.#folder, sha256);
  }

  /** How much of it is here; 0 where nothing is. */
  offset(sha256: string): number {
    return this.#idle.get(sha256)?.bytes ?? 0;
  }

  /** For {@link makeRoom}: nobody holds them. */
  kept(): readonly Kept[] {
    return [...this.#idle].map(([sha256, { bytes, usedAt }]) => ({ sha256, size: bytes, usedAt, pinned: false }));
  }

  /** From now on until {@link leave} or {@link drop} somebody writes it. @returns how much of it is here. */
  async take(sha256: string): Promise<{ readonly handle: FileHandle; readonly bytes: number }> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
    const handle = await open(this.path(sha256), flags, 0o600);
    this.#idle.delete(sha256);
    return { handle, bytes: (await handle.stat()).size };
  }

  /** It was cut off. */
  async leave(sha256: string, nowMs: number): Promise<void> {
    const found = await stat(this.path(sha256)).catch(() => undefined);
    if (found && found.size > 0) this.#idle.set(sha256, { bytes: found.size, usedAt: nowMs });
    else await this.drop(sha256);
    await this.#tidy(nowMs);
  }

  async drop(sha256: string): Promise<void> {
    this.#idle.delete(sha256);
    await rm(this.path(sha256), { force: true });
  }

  async #tidy(nowMs: number): Promise<void> {
    const oldestFirst = [...this.#idle].sort(([, a], [, b]) => a.usedAt - b.usedAt);
    for (const [index, [sha256, { usedAt }]] of oldestFirst.entries()) {
      if (nowMs - usedAt > keptMs || index < oldestFirst.length - mostKept) await this.drop(sha256);
    }
  }
}

/** Appends what a body brings, piece after piece, so that what is on disk is always a beginning. `take` may refuse a piece. */
export async function appendTo(
  handle: FileHandle,
  from: number,
  body: Readable,
  take: (piece: Buffer) => Promise<void> | void,
): Promise<number> {
  let at = from;
  for await (const piece of body as AsyncIterable<Buffer>) {
    await take(piece);
    for (let done = 0; done < piece.length; ) {
      const { bytesWritten } = await handle.write(piece, done, piece.length - done, at);
      done += bytesWritten;
      at += bytesWritten;
    }
  }
  return at;
}

/** Read back from the disk: what is kept is what was said. */
export async function hashOf(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(pieceBytes);
  for (let at = 0; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, pieceBytes, at);
    if (bytesRead === 0) return hash.digest('hex');
    at += bytesRead;
    hash.update(buffer.subarray(0, bytesRead));
  }
}
