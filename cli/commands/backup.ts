/** `hearth backup` and `hearth restore`. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { mostBytes, unpackBackup } from '../../broker/backup/archive.ts';
import { restoreBackup } from '../../broker/backup/restore.ts';
import { defaultDataFolder, surroundings } from '../../broker/config.ts';
import { settings } from '../../shared/schemas/config.ts';
import { flagOrEnvironment } from '../../shared/settings.ts';
import { UserError } from '../../shared/user-error.ts';
import { type AdminFlags, adminCall } from '../admin.ts';

/** Of a backup as it travels: base64 in JSON. */
const answerBytes = 512 * 1024 * 1024;

/** @param file where it goes; `-` is standard output. */
export async function backup(
  file: string | undefined,
  flags: AdminFlags & { readonly force?: boolean },
): Promise<number> {
  const day = new Date().toISOString().slice(0, 10);
  const path = file ?? `hearth-backup-${day}.gz`;
  if (path === '-' && process.stdout.isTTY) {
    throw new UserError(
      'A backup is no text for a terminal: name a file, or send it into a program ("hearth backup - | …").',
      2,
    );
  }
  if (path !== '-' && !flags.force && existsSync(path)) {
    throw new UserError(`${path} is there already: name another file, or add --force.`);
  }
  const { gzip } = await adminCall<{ gzip: string }>(flags, 'backup.take', {}, answerBytes);
  const bytes = Buffer.from(gzip, 'base64');
  // What cannot be read back is no backup.
  const { head, entries } = unpackBackup(bytes, 'what the supervisor sent');
  if (path === '-') {
    await new Promise<void>((done, failed) => process.stdout.write(bytes, error => (error ? failed(error) : done())));
    return 0;
  }
  writeWhole(path, bytes);
  const nodes = entries.filter(([key]) => key.startsWith('doc/node/')).length;
  console.log(
    `${resolve(path)}: cluster ${head.cluster}, ${nodes} nodes, revision ${head.rev}, ${bytes.length} bytes.`,
  );
  console.log('It holds the keys of the cluster: whoever has it can speak for it. Keep it where only you can read it.');
  return 0;
}

/** Readable for its owner alone from the first byte on, and never half a file under its name. */
function writeWhole(path: string, bytes: Buffer): void {
  const beside = `${path}.part`;
  try {
    rmSync(beside, { force: true });
    const handle = openSync(beside, 'wx', 0o600);
    try {
      writeSync(handle, bytes);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw new UserError(`${path} cannot be written (${(error as NodeJS.ErrnoException).code}): name another file.`);
  }
}

export async function restore(file: string, flags: { readonly data?: string }): Promise<number> {
  const folder = resolve(
    String(flagOrEnvironment(settings.data, flags.data, process.env) ?? defaultDataFolder(surroundings())),
  );
  const { cluster, gen, rev, nodes, atMs } = await restoreBackup(read(file), file, folder, Date.now());
  console.log(
    `${folder}: cluster ${cluster} as of ${new Date(atMs).toISOString()}: ${nodes} nodes, revision ${rev}, generation ${gen}.`,
  );
  console.log(
    'What was changed after that is not in it. Start it as before ("hearth up"), and see that the old supervisor never starts again.',
  );
  return 0;
}

function read(file: string): Buffer {
  try {
    if (file !== '-' && statSync(file).size > mostBytes)
      throw new UserError(`${file} is over a gigabyte: it is no backup.`);
    return readFileSync(file === '-' ? 0 : file);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}
