/** Reads a tar (ustar, GNU, pax), packed or not, and hands over entry by entry. Only the library's reader is used: every judgement is ours. */
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { ReadEntry } from 'tar';
import { Wrong } from '../wrong.ts';
import type { ArchiveEntry } from './entries.ts';

export type Packing = 'none' | 'gzip' | 'xz' | 'zstd' | 'bzip2';

/** Takes an entry; of a file it reads the bytes to their end. */
export type TakeEntry = (entry: ArchiveEntry, bytes: AsyncIterable<Buffer>) => Promise<void>;

const kinds: Readonly<Record<string, ArchiveEntry['kind']>> = {
  File: 'file',
  OldFile: 'file',
  ContiguousFile: 'file',
  Directory: 'folder',
  GNUDumpDir: 'folder',
  SymbolicLink: 'symlink',
  Link: 'link',
};

/** Commands that unpack from their input to their output, within bounded memory. */
const commands: Readonly<Record<string, readonly [string, ...string[]]>> = {
  xz: ['xz', '-dc', '--memlimit-decompress=512MiB'],
  zstd: ['zstd', '-dcq', '--memory=128MB'],
  bzip2: ['bzip2', '-dc'],
};

/**
 * @param count told of each piece of the plain tar: its bytes, and the bytes of the archive's file read for it so far.
 * @throws Wrong, or what `take` or `count` throws.
 */
export async function readTar(
  file: string,
  packing: Packing,
  take: TakeEntry,
  count: (bytes: number, packed: number) => void,
): Promise<void> {
  const { Parser } = await import('tar');
  let wake = () => {};
  const under: Under = { failure: undefined, cancel() {} };
  const fail = (error: unknown) => {
    under.failure ??= { error };
    wake();
    // Whoever waits for more of an entry would wait for ever, with a file open.
    under.cancel(under.failure.error);
  };
  let tail: Promise<void> = Promise.resolve();
  const parser = new Parser({
    strict: true,
    onReadEntry: entry => {
      tail = tail.then(() => (under.failure ? undefined : takeOne(entry, take, under))).catch(fail);
    },
  });
  parser.on('error', (error: Error) => fail(new Wrong(`the archive is damaged: ${error.message.slice(0, 100)}`)));
  parser.on('ignoredEntry', (entry: ReadEntry) =>
    fail(
      new Wrong(`the archive holds ${JSON.stringify(entry.path.slice(0, 80))}, an entry of a kind that is not known`),
    ),
  );
  parser.on('drain', () => wake());
  const parsed = new Promise<void>(resolve => parser.on('end', resolve));

  const packed = await unpacked(file, packing);
  try {
    for await (const chunk of beginning(packed.stream)) {
      count(chunk.length, packed.read());
      if (under.failure) break;
      const drained = new Promise<void>(resolve => {
        wake = resolve;
      });
      if (!parser.write(chunk) && !under.failure) await drained;
    }
    if (!under.failure) parser.end();
    const failed = new Promise<void>(resolve => {
      wake = resolve;
      if (under.failure) resolve();
    });
    await Promise.race([parsed, failed]);
  } catch (error) {
    fail(error);
  } finally {
    await tail;
    packed.stop();
  }
  if (under.failure) throw under.failure.error;
}

/** What is under way: why it is over, and a way to end the wait for more bytes of an entry. */
interface Under {
  failure: { readonly error: unknown } | undefined;
  cancel(error: unknown): void;
}

async function takeOne(entry: ReadEntry, take: TakeEntry, under: Under): Promise<void> {
  const kind = kinds[entry.type] ?? 'other';
  // Old tars tell folders by a slash at the end of a file's name.
  const isFolder = kind === 'file' && entry.path.endsWith('/');
  let bytes = 0;
  const iterator = (entry as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  const next = () =>
    new Promise<IteratorResult<Buffer>>((resolve, reject) => {
      if (under.failure) return reject(under.failure.error);
      under.cancel = reject;
      iterator.next().then(resolve, reject);
    });
  const counted = (async function* () {
    for (let piece = await next(); !piece.done; piece = await next()) {
      bytes += piece.value.length;
      yield piece.value;
    }
  })();
  await take(
    {
      name: entry.path,
      kind: isFolder ? 'folder' : kind,
      mode: entry.mode,
      ...(entry.linkpath === undefined ? {} : { target: entry.linkpath }),
    },
    counted,
  );
  if (kind !== 'file' || isFolder) entry.resume();
  else if (bytes !== entry.size)
    throw new Wrong(`the archive ends in the middle of ${JSON.stringify(entry.path.slice(0, 80))}`);
}

/** Pieces as they come, the first one of at least one block: what is in it must be a tar, not packed a second time. */
async function* beginning(stream: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  let first: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of stream) {
    if (!first) {
      yield chunk;
      continue;
    }
    first = Buffer.concat([first, chunk]);
    if (first.length < 512) continue;
    if (!isTar(first)) throw new Wrong('what is packed in the source is no tar archive');
    yield first;
    first = undefined;
  }
  if (first) throw new Wrong('the archive is empty or cut off');
}

/** The checksum of the first header holds (POSIX.1-2001, pax, "ustar Interchange Format"), or it is an empty archive. */
export function isTar(block: Buffer): boolean {
  if (block.length < 512) return false;
  const said = Number.parseInt(
    block
      .toString('latin1', 148, 156)
      .replace(/[\0 ]+$/, '')
      .trim(),
    8,
  );
  let sum = 8 * 0x20;
  for (let at = 0; at < 512; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0;
  return sum === said || block.subarray(0, 512).every(byte => byte === 0);
}

interface Unpacked {
  readonly stream: AsyncIterable<Buffer>;
  /** Bytes of the file read so far, about. */
  read(): number;
  stop(): void;
}

async function unpacked(file: string, packing: Packing): Promise<Unpacked> {
  if (packing === 'none' || packing === 'gzip') {
    const source = createReadStream(file, { highWaterMark: 64 * 1024 });
    if (packing === 'none') return { stream: source, read: () => source.bytesRead, stop: () => source.destroy() };
    const gunzip = createGunzip();
    // Errors come out of the last stream.
    pipeline(source, gunzip, () => {});
    return { stream: readable(gunzip), read: () => source.bytesRead, stop: () => source.destroy() };
  }
  return bySystem(file, packing);
}

async function* readable(stream: Readable): AsyncIterable<Buffer> {
  try {
    for await (const chunk of stream) yield chunk;
  } catch (error) {
    throw new Wrong(`the archive is damaged: ${(error as Error).message.slice(0, 100)}`);
  }
}

/** By the system's own program, where there is one: its input is the file, its output a pipe. */
async function bySystem(file: string, packing: 'xz' | 'zstd' | 'bzip2'): Promise<Unpacked> {
  const [command = packing, ...args] = commands[packing] ?? [];
  const handle = await open(file, 'r');
  const { size } = await handle.stat();
  const child = spawn(command, args, { stdio: [handle.fd, 'pipe', 'ignore'], env: { PATH: process.env.PATH ?? '' } });
  const ended = new Promise<string | undefined>(resolve => {
    child.once('error', () => resolve(`the archive is packed with ${packing}: install the program ${command}`));
    child.once('close', code => resolve(code === 0 ? undefined : `the archive is damaged: ${command} says so`));
  });
  const stream = (async function* () {
    const output: Readable | null = child.stdout;
    if (output) for await (const chunk of output) yield chunk as Buffer;
    const wrong = await ended;
    if (wrong !== undefined) throw new Wrong(wrong);
  })();
  return {
    stream,
    read: () => size,
    stop: () => {
      child.kill('SIGKILL');
      handle.close().catch(() => {});
    },
  };
}
