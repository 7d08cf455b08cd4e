/** Which shared libraries a program asks for (ELF, little-endian): a machine with nothing on it has few. */
import { type FileHandle, open } from 'node:fs/promises';

/** The C library's and the compiler's, which the smallest Debian has. Node 25 and later for x64 ask for libatomic besides, which it has not. */
const everywhere =
  /^(libc|libm|libdl|librt|libpthread)\.so\.\d+$|^libstdc\+\+\.so\.6$|^libgcc_s\.so\.1$|^ld-linux[a-z0-9-]*\.so\.\d+$/;

/** @returns those that a bare machine may lack; undefined where the file is no such program. */
export async function rareLibraries(file: string): Promise<readonly string[] | undefined> {
  const handle = await open(file, 'r');
  try {
    return (await neededLibraries(handle))?.filter(name => !everywhere.test(name));
  } finally {
    await handle.close();
  }
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

const [load, dynamic] = [1, 2];
const [tagNeeded, tagStrings, tagStringsSize] = [1, 5, 10];
/** Far more than any program has. */
const [mostSegments, mostBytes] = [64, 16 * 1024 * 1024];

async function neededLibraries(file: FileHandle): Promise<string[] | undefined> {
  const head = await bytes(file, 0, 64);
  if (head?.toString('latin1', 0, 4) !== '\x7fELF' || head[5] !== 1) return undefined;
  const wide = head[4] === 2;
  const word = (from: Buffer, at: number): number => (wide ? Number(from.readBigUInt64LE(at)) : from.readUInt32LE(at));
  const size = wide ? 56 : 32;
  const count = head.readUInt16LE(wide ? 56 : 44);
  if (head.readUInt16LE(wide ? 54 : 42) !== size || count > mostSegments) return undefined;
  const table = await bytes(file, word(head, wide ? 32 : 28), size * count);
  if (!table) return undefined;
  const segments: Segment[] = Array.from({ length: count }, (_, n) => {
    const at = n * size;
    const [offset, address, length] = wide ? [8, 16, 32] : [4, 8, 16];
    return {
      type: table.readUInt32LE(at),
      offset: word(table, at + offset),
      address: word(table, at + address),
      size: word(table, at + length),
    };
  });
  const section = segments.find(({ type }) => type === dynamic);
  const entries = section && (await bytes(file, section.offset, section.size));
  if (!entries) return undefined;
  const names: number[] = [];
  let [strings, length] = [0, 0];
  const step = wide ? 16 : 8;
  for (let at = 0; at + step <= entries.length; at += step) {
    const value = word(entries, at + step / 2);
    const tag = word(entries, at);
    if (tag === tagNeeded) names.push(value);
    else if (tag === tagStrings) strings = value;
    else if (tag === tagStringsSize) length = value;
  }
  const home = segments.find(one => one.type === load && strings >= one.address && strings < one.address + one.size);
  const text = home && (await bytes(file, home.offset + strings - home.address, length));
  return text && names.map(at => text.toString('latin1', at, Math.max(at, text.indexOf(0, at))));
}

async function bytes(file: FileHandle, at: number, length: number): Promise<Buffer | undefined> {
  if (!Number.isSafeInteger(at) || length > mostBytes) return undefined;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
  return bytesRead === length ? buffer : undefined;
}
