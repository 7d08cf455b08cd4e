/** An artifact becomes a module: a single file, or what `npm pack` makes, unpacked as anything from outside is. */
import { closeSync, copyFileSync, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { archiveLimits } from '../../../reconcile/files/archive/entries.ts';
import { unpackInto } from '../../../reconcile/files/archive/unpack.ts';
import { FileHost } from '../../../reconcile/files/host.ts';
import type { Files } from '../runner.ts';
import type { Make } from './shelf.ts';

/** What a module's folder is called in `node_modules`, so that Node itself finds the package's entry. */
export const packed = 'hearth-module';

/** `entry.mjs` of a folder, which gives on what the package's own entry has. */
export function writeEntry(folder: string, name: string): void {
  writeFileSync(join(folder, 'entry.mjs'), `export { default } from ${JSON.stringify(name)};\n`);
}

/** URL of the module in a folder of the shelf. @param main a file of the package instead of its entry. */
export function moduleUrl(folder: string, name: string, main: string | undefined): string {
  return pathToFileURL(main === undefined ? join(folder, 'entry.mjs') : join(folder, 'node_modules', name, main)).href;
}

const isGzip = (file: string): boolean => {
  const start = Buffer.alloc(2);
  const fd = openSync(file, 'r');
  readSync(fd, start, 0, 2, 0);
  closeSync(fd);
  return start.readUInt16BE() === 0x1f8b;
};

/** @param sha256 of a `.tgz` in the layout of `npm pack` (all in one folder), or of one ES module. */
export const fromArtifact =
  (files: Files, sha256: string): Make =>
  (folder, done) => {
    files.fetch({ url: `artifact:${sha256}`, sha256 }, (error, copy) => {
      if (!copy) return done({ why: 'setup', err: `the module cannot be fetched: ${error ?? 'nobody says why'}` });
      const over = (thrown?: unknown): void => {
        copy.release();
        done(
          thrown === undefined
            ? undefined
            : { why: 'setup', err: `the module cannot be unpacked: ${(thrown as Error).message}` },
        );
      };
      try {
        if (!isGzip(copy.file)) {
          copyFileSync(copy.file, join(folder, 'entry.mjs'));
          over();
          return;
        }
        const base = join(folder, 'node_modules', packed);
        mkdirSync(base, { recursive: true });
        writeEntry(folder, packed);
        const signal = new AbortController().signal;
        const options = { limits: archiveLimits, strip: 1, uid: undefined, gid: undefined, progress() {}, signal };
        unpackInto(new FileHost(), copy.file, base, options).then(() => over(), over);
      } catch (thrown) {
        over(thrown);
      }
    });
  };
