/** What came of a file so far, on disk beside the finished ones: it grows at its end alone, and its hash with it. */
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

const pieceBytes = 256 * 1024;

/** Never through a symbolic link: in this folder lies nothing but what this process made. */
export const openOwn = (path: string, flags: number): Promise<FileHandle> =>
  open(path, flags | constants.O_NOFOLLOW, 0o600);

/** Of all that is in the file. `take` sees every piece, and may throw. */
export async function readAll(handle: FileHandle, take: (piece: Buffer) => void | Promise<void>): Promise<void> {
  const buffer = Buffer.allocUnsafe(pieceBytes);
  for (let at = 0; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, pieceBytes, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    await take(buffer.subarray(0, bytesRead));
  }
}

export class Part {
  readonly path: string;
  readonly #handle: FileHandle;
  #hash: Hash;
  #bytes: number;

  private constructor(path: string, handle: FileHandle, hash: Hash, bytes: number) {
    this.path = path;
    this.#handle = handle;
    this.#hash = hash;
    this.#bytes = bytes;
  }

  /** With what an earlier try left, read once for its hash. */
  static async open(path: string): Promise<Part> {
    const handle = await openOwn(path, constants.O_RDWR | constants.O_CREAT);
    try {
      const hash = createHash('sha256');
      let bytes = 0;
      await readAll(handle, piece => {
        hash.update(piece);
        bytes += piece.length;
      });
      return new Part(path, handle, hash, bytes);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  async write(piece: Buffer): Promise<void> {
    for (let at = 0; at < piece.length; ) {
      const { bytesWritten } = await this.#handle.write(piece, at, piece.length - at, this.#bytes);
      this.#hash.update(piece.subarray(at, at + bytesWritten));
      this.#bytes += bytesWritten;
      at += bytesWritten;
    }
  }

  /** From the first byte. */
  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = createHash('sha256');
    this.#bytes = 0;
  }

  /** Of all that came so far. */
  sha256(): string {
    return this.#hash.copy().digest('hex');
  }

  sync(): Promise<void> {
    return this.#handle.sync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
