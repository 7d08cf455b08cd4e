/** Reads and writes the archives that machines are given. Compression is Node's own, off the supervisor's loop. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, mkdir, readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { create, type ReadEntry, Unpack } from 'tar';
import { UserError } from '../../shared/user-error.ts';
import type { Archive } from './install-script.ts';

/** No package of a runtime comes near this. */
const mostUnpacked = 1024 ** 3;

/**
 * Takes single files out of a gzipped tar, whatever else is in it: no links, nothing above its bound.
 * @param wanted path in the archive → most bytes. They lie under `folder` by the path without its first part.
 */
export async function takeOut(
  tarball: string,
  folder: string,
  wanted: ReadonlyMap<string, number>,
  most = mostUnpacked,
): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  let unpacked = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      unpacked += chunk.length;
      done(unpacked > most ? new UserError(`An archive has more than ${most} bytes unpacked.`) : null, chunk);
    },
  });
  const filter = (path: string, entry: unknown) => {
    const { type, size } = entry as ReadEntry;
    return type === 'File' && size <= (wanted.get(path) ?? -1);
  };
  const into = new Unpack({ cwd: folder, strip: 1, filter, preserveOwner: false, noMtime: true });
  await pipeline(createReadStream(tarball), createGunzip(), meter, asWritable(into));
}

/** tar's streams are no streams of Node's to `pipeline`. */
function asWritable(into: Unpack): Writable {
  return new Writable({
    construct(ready) {
      into.once('error', error => this.destroy(error as Error));
      ready();
    },
    write(chunk: Buffer, _encoding, done) {
      if (into.write(chunk)) done();
      else into.once('drain', () => done());
    },
    final(done) {
      into.once('close', () => done());
      into.end();
    },
  });
}

/** Packs what is in `folder` into `file`. The same files give the same bytes, whenever and whoever. */
export async function packUp(folder: string, file: string): Promise<Archive> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
  const hash = createHash('sha256');
  let size = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const tar = create({ cwd: folder, portable: true, mtime: new Date(0), noDirRecurse: true }, names);
  await pipeline(
    tar as unknown as Readable,
    createGzip(),
    meter,
    createWriteStream(file, { flags: 'wx', mode: 0o600 }),
  );
  return { sha256: hash.digest('hex'), size };
}

/** What is in an archive has these permissions, whatever the umask and the source were. */
export async function settle(file: string, mode: 0o644 | 0o755): Promise<void> {
  await chmod(file, mode);
  await utimes(file, 0, 0);
}
