/** A backup of a running supervisor: one consistent reading of the store, and the trust folder's files. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { format } from '../../shared/limits.ts';
import type { Store } from '../../shared/store.ts';
import type { DataFolder } from '../data-folder.ts';
import { type AdminVerb, adminVerb } from '../trust/types.ts';
import { type Backup, backupVersion, packBackup } from './archive.ts';

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

/** @returns the backup's bytes, as they go into a file. */
export function takeBackup(parts: BackupParts): Promise<Buffer> {
  const { folder, store, cluster, base, ver, now } = parts;
  return new Promise((resolve, reject) => {
    // One iterator: LevelDB shows it the store as it was at one moment.
    store.read('', (error, entries) => {
      if (error) return reject(error);
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
