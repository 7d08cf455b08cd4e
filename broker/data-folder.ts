/**
 * The data folder: 0700, `format`, and a subfolder for each kind of thing. Its lock is the journal's own (the kernel
 * lets go of it when the process dies, however it dies); `run.json` only says who holds it.
 */
import { generateKeyPairSync } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { Signer } from '../shared/authority.ts';
import { signerFromPem } from '../shared/ed25519.ts';
import { format } from '../shared/limits.ts';
import { makeFolder } from '../shared/make-folder.ts';
import { printable } from '../shared/names.ts';
import type { Store } from '../shared/store.ts';
import { UserError } from '../shared/user-error.ts';

const subfolders = ['journal', 'trust', 'agent', 'logs', 'cache'] as const;
/** What may lie in a folder that is to become a data folder; anything else was somebody's before us. */
const ours = new Set<string>([...subfolders, 'format', 'run.json', 'hearth.yaml', 'lost+found']);
const keyFile = 'cluster-key.pem';

export type DataFolder = Readonly<Record<(typeof subfolders)[number], string>> & {
  readonly path: string;
  readonly runFile: string;
  /** No supervisor ever finished its first start here. */
  readonly fresh: boolean;
};

/** Who runs on a data folder, as it says in `run.json`. */
export interface RunFile {
  readonly pid: number;
  readonly mqtt: number;
  readonly http: number;
  /** MQTT over TLS, where the cluster is open to the network. */
  readonly tls?: number;
  readonly node?: string;
  /** `mqtt` is the port of a broker elsewhere. */
  readonly outside?: true;
}

/** Makes what is missing and refuses what is not ours or newer. Throws one sentence ({@link UserError}). */
export function openDataFolder(path: string): DataFolder {
  try {
    makeFolder(path);
    const fresh = !checkFormat(path);
    if (fresh) refuseForeign(path);
    if ((fs.statSync(path).mode & 0o077) !== 0) fs.chmodSync(path, 0o700);
    const folders = subfolders.map(name => [name, join(path, name)] as const);
    for (const [, folder] of folders) makeFolder(folder);
    fs.accessSync(path, fs.constants.W_OK | fs.constants.X_OK);
    const byName = Object.fromEntries(folders) as Record<(typeof subfolders)[number], string>;
    return { ...byName, path, runFile: join(path, 'run.json'), fresh };
  } catch (error) {
    throw folderError(path, error);
  }
}

/** @returns whether the folder has a format, that is, was used before. */
function checkFormat(path: string): boolean {
  let text: string;
  try {
    text = fs.readFileSync(join(path, 'format'), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  const found = /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  if (found === undefined) {
    throw new UserError(
      `${join(path, 'format')} says "${printable(text, 20)}" instead of a number: restore it from a backup (this Hearth writes ${format}).`,
    );
  }
  if (found > format) {
    throw new UserError(
      `The data folder ${path} has format ${found}, but this Hearth knows formats up to ${format}: start the newer Hearth that wrote it, or give another folder with --data FOLDER.`,
    );
  }
  return true;
}

function refuseForeign(path: string): void {
  const foreign = fs.readdirSync(path).find(name => !ours.has(name));
  if (foreign === undefined) return;
  throw new UserError(
    `${path} is not empty and no data folder of Hearth ("${printable(foreign)}" lies there): give an empty or new folder with --data FOLDER.`,
  );
}

function folderError(path: string, error: unknown): Error {
  if (error instanceof UserError) return error;
  const { code } = error as NodeJS.ErrnoException;
  const why = {
    EACCES: 'this user may not write there',
    EPERM: 'it belongs to another user',
    EROFS: 'it lies on a read-only file system',
    ENOTDIR: 'a part of the path is a file',
    EEXIST: 'it is a file',
    ENOENT: 'no folder can be made there',
    ENOSPC: 'the disk is full',
    ENAMETOOLONG: 'the path is too long',
  }[code ?? ''];
  if (!why) return error as Error;
  return new UserError(
    `The data folder ${path} cannot be used: ${why} (${code}). Give a folder you can write to with --data FOLDER or HEARTH_DATA.`,
  );
}

/** Writes beside and renames over, both synced: the file is the old one or the new one at every moment. */
export function writeSafely(file: string, text: string, mode = 0o600): void {
  const beside = `${file}.new`;
  fs.rmSync(beside, { force: true });
  const handle = fs.openSync(beside, 'wx', mode);
  try {
    fs.writeSync(handle, text);
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
  fs.renameSync(beside, file);
  syncFolder(dirname(file));
}

function syncFolder(path: string): void {
  const handle = fs.openSync(path, 'r');
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}

/**
 * The cluster's key. Made once; only with the journal's lock held. A folder that was in use and has lost its key is
 * refused: with a new one every node would be lost to a cluster that nobody can speak for.
 */
export function clusterKey(folder: DataFolder): Signer {
  const file = join(folder.trust, keyFile);
  try {
    if (!fs.existsSync(file)) {
      if (!folder.fresh) {
        throw new UserError(
          `${file}, the key of this cluster, is gone: restore it from a backup, or start a new cluster with --data FOLDER (nodes then have to join it anew).`,
        );
      }
      const { privateKey } = generateKeyPairSync('ed25519');
      writeSafely(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    }
    if ((fs.statSync(file).mode & 0o077) !== 0) fs.chmodSync(file, 0o600);
    return readKey(file);
  } catch (error) {
    throw folderError(folder.trust, error);
  }
}

function readKey(file: string): Signer {
  const pem = fs.readFileSync(file, 'utf8');
  try {
    return signerFromPem(pem);
  } catch {
    throw new UserError(`${file} is no Ed25519 key in PKCS#8 PEM: restore it from a backup.`);
  }
}

/**
 * A folder that was in use and has lost its journal is refused: a new one with the old key would count from the start,
 * and the first revision above what a node knows would take every service from it that was set before.
 */
export async function refuseLostJournal(folder: DataFolder, store: Store): Promise<void> {
  if (folder.fresh) return;
  const entries = await new Promise<readonly unknown[]>((resolve, reject) =>
    store.read('meta/', (error, found) => (error ? reject(error) : resolve(found))),
  );
  if (entries.length > 0) return;
  throw new UserError(
    `The journal in ${folder.journal} is gone: restore ${folder.path} from a backup, or start a new cluster with --data FOLDER (nodes then have to join it anew).`,
  );
}

/** Marks the first start as finished: from now on a missing key or journal is an error. */
export function writeFormat(folder: DataFolder): void {
  const file = join(folder.path, 'format');
  if (!fs.existsSync(file)) writeSafely(file, `${format}\n`, 0o644);
}

export function writeRunFile(folder: DataFolder, run: RunFile): void {
  writeSafely(folder.runFile, `${JSON.stringify(run)}\n`);
}

export function removeRunFile(folder: DataFolder): void {
  fs.rmSync(folder.runFile, { force: true });
}

/** Who held the lock last. The process may be gone. */
export function readRunFile(folder: DataFolder): RunFile | undefined {
  try {
    const run = JSON.parse(fs.readFileSync(folder.runFile, 'utf8')) as RunFile;
    return Number.isSafeInteger(run.pid) ? run : undefined;
  } catch {
    return undefined;
  }
}
