/** A backup of a running supervisor: its store but for jobs, and the trust folder's files. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { format } from '../../shared/limits.ts';
import type { Store } from '../../shared/store.ts';
import type { DataFolder } from '../data-folder.ts';
import { type AdminVerb, adminVerb } from '../trust/types.ts';
import { type Backup, backupVersion, packBackup } from './archive.ts';
import { backedUp } from './job-keys.ts';

export interface BackupParts {
  readonly folder: DataFolder;
  readonly store: Store;
  readonly cluster: string;
  readonly base: string;
  readonly ver: string;
  readonly now: () => number;
}

type File = Backup['files'][number];

function trustFiles(folder: DataFolder): File[] {
  const files: File[] = [];
  for (const name of readdirSync(folder.trust).sort()) {
    const path = join(folder.trust, name);
    const stat = lstatSync(path);
    // Half-written ones are named so, and their whole ones lie beside them.
    if (!stat.isFile() || name.endsWith('.new')) continue;
    files.push({ file: name, in: 'trust', mode: stat.mode & 0o777, text: readFileSync(path, 'utf8') });
  }
  try {
    files.push({
      file: 'hearth.yaml',
      in: '.',
      mode: 0o600,
      text: readFileSync(join(folder.path, 'hearth.yaml'), 'utf8'),
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return files;
}

type Entries = readonly (readonly [key: string, value: string])[];

function readRanges(store: Store, done: (error: Error | undefined, entries: Entries) => void): void {
  const found: Entries[] = [];
  let left = backedUp.length;
  let failed: Error | undefined;
  // All are begun in one turn of the loop: each shows the store as it is at this moment.
  for (const [index, [from, to]] of backedUp.entries()) {
    store.readRange(from, to, Number.POSITIVE_INFINITY, (error, entries) => {
      found[index] = entries;
      failed ??= error;
      if (--left === 0) done(failed, found.flat());
    });
  }
}

/** @returns the backup's bytes, as they go into a file. */
export function takeBackup(parts: BackupParts): Promise<Buffer> {
  const { folder, store, cluster, base, ver, now } = parts;
  return new Promise((resolve, reject) => {
    // What was written later lies in the later ranges: the revision of the whole (`meta/`) is not below that of a document.
    readRanges(store, (error, entries) => {
      if (error) {
        reject(error);
        return;
      }
      try {
        const number = (key: string) => Number(entries.find(([name]) => name === key)?.[1] ?? 0);
        const head = {
          hearth_backup: backupVersion,
          format,
          cluster,
          gen: number('meta/gen'),
          rev: number('meta/rev'),
          ver,
          base,
          at_ms: now(),
        };
        resolve(packBackup({ head, entries, files: trustFiles(folder) }));
      } catch (problem) {
        reject(problem);
      }
    });
  });
}

/** `backup.take`: the file's bytes in base64, for the command line to write down. */
export const backupVerbs = (parts: BackupParts): AdminVerb[] => [
  adminVerb({
    name: 'backup.take',
    role: 'admin',
    args: z.strictObject({}),
    audit: () => 'the cluster',
    run: async () => ({ gzip: (await takeBackup(parts)).toString('base64') }),
  }),
];
