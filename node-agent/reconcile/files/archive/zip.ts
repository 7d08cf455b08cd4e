/** Reads a zip, and hands over entry by entry. Only the library's reader is used: every judgement is ours. */
import type { Entry, ZipFile } from 'yauzl';
import { Wrong } from '../wrong.ts';
import type { ArchiveEntry } from './entries.ts';
import type { TakeEntry } from './tar.ts';

/** What made the entry: with 3 the upper half of its attributes is a Unix mode (APPNOTE.TXT 4.4.2). */
const unix = 3;
const longestTarget = 1024;

/** @param count told of each piece that came out: its bytes, and the bytes of the archive's file. */
export async function readZip(
  file: string,
  take: TakeEntry,
  count: (bytes: number, packed: number) => void,
): Promise<void> {
  const { open } = await import('yauzl');
  const zip = await new Promise<ZipFile>((resolve, reject) =>
    open(
      file,
      { lazyEntries: true, autoClose: false, validateEntrySizes: true, strictFileNames: true },
      (error, opened) => (opened ? resolve(opened) : reject(damaged(error))),
    ),
  );
  try {
    for await (const entry of entriesOf(zip)) await takeOne(zip, entry, take, count);
  } finally {
    zip.close();
  }
}

const damaged = (error: unknown): Wrong =>
  new Wrong(
    `the archive is damaged or refused: ${(error instanceof Error ? error.message : String(error)).slice(0, 120)}`,
  );

async function* entriesOf(zip: ZipFile): AsyncIterable<Entry> {
  let settle: (entry: Entry | undefined) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  zip.on('entry', entry => settle(entry));
  zip.on('end', () => settle(undefined));
  zip.on('error', error => fail(damaged(error)));
  for (;;) {
    const entry = await new Promise<Entry | undefined>((resolve, reject) => {
      settle = resolve;
      fail = reject;
      zip.readEntry();
    });
    if (!entry) return;
    yield entry;
  }
}

async function takeOne(
  zip: ZipFile,
  entry: Entry,
  take: TakeEntry,
  count: (bytes: number, packed: number) => void,
): Promise<void> {
  if (entry.isEncrypted()) throw new Wrong('the archive is encrypted');
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
    throw new Wrong(`the archive is packed by a method that is not known (${entry.compressionMethod})`);
  }
  const mode = entry.versionMadeBy >> 8 === unix ? entry.externalFileAttributes >>> 16 : 0;
  const kind = kindOf(entry.fileName, mode);
  const bytes = bytesOf(zip, entry, count);
  const judged = { name: entry.fileName, kind, mode: (mode & 0o7777) === 0 ? undefined : mode & 0o7777 };
  if (kind !== 'symlink') return take(judged, bytes);
  if (entry.uncompressedSize > longestTarget)
    throw new Wrong('the archive holds a symlink with a target that is too long');
  const target: Buffer[] = [];
  for await (const chunk of bytes) target.push(chunk);
  await take({ ...judged, target: Buffer.concat(target).toString() }, bytes);
}

/** By the file type bits of a Unix mode (inode(7)), else by the slash at the end of a folder's name. */
function kindOf(name: string, mode: number): ArchiveEntry['kind'] {
  const type = mode & 0o170000;
  if (name.endsWith('/')) return type === 0 || type === 0o040000 ? 'folder' : 'other';
  if (type === 0 || type === 0o100000) return 'file';
  return type === 0o040000 ? 'folder' : type === 0o120000 ? 'symlink' : 'other';
}

async function* bytesOf(zip: ZipFile, entry: Entry, count: (bytes: number, packed: number) => void) {
  const stream = await new Promise<AsyncIterable<Buffer>>((resolve, reject) =>
    zip.openReadStream(entry, (error, opened) => (opened ? resolve(opened) : reject(damaged(error)))),
  );
  try {
    for await (const chunk of stream) {
      count(chunk.length, zip.fileSize);
      yield chunk;
    }
  } catch (error) {
    throw error instanceof Wrong ? error : damaged(error);
  }
}
