/**
 * A backup becomes a data folder: the same trust, and a generation above every one that a node may have obeyed. Nodes then
 * neither take an order of the lost supervisor for a new one, nor ignore those of this one whose revisions begin anew.
 */
import { existsSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseJson } from '../../shared/codec.ts';
import { signerFromPem } from '../../shared/ed25519.ts';
import { format } from '../../shared/limits.ts';
import { makeFolder } from '../../shared/make-folder.ts';
import type { StoreOp } from '../../shared/store.ts';
import { UserError } from '../../shared/user-error.ts';
import { openDataFolder, writeFormat, writeSafely } from '../data-folder.ts';
import { bootKey } from '../jobs/core/records.ts';
import { openLevelStore } from '../store/level.ts';
import { raiseBundleSerial } from '../trust/ca/ca-files.ts';
import { amnestyKey, type RestoreTimes, restoredAt, restoredSchema } from '../trust/joining/amnesty.ts';
import { type Backup, unpackBackup } from './archive.ts';
import { bootAfter } from './job-keys.ts';

export interface Restored {
  readonly cluster: string;
  readonly gen: number;
  readonly rev: number;
  readonly nodes: number;
  /** When the backup was taken, epoch ms. */
  readonly atMs: number;
}

/**
 * Seconds of the Unix epoch: a folder that is restored twice from one backup gets two generations, and the later one is
 * above the earlier. A machine whose clock is behind still gets one above the backup's.
 */
const generationAfter = (gen: number, nowMs: number): number => Math.max(gen + 1, Math.floor(nowMs / 1000));

/** @param folder new or empty. @throws UserError; then nothing is left in it. */
export async function restoreBackup(bytes: Uint8Array, name: string, folder: string, nowMs: number): Promise<Restored> {
  const { head, entries, files } = unpackBackup(bytes, name);
  if (head.format > format) {
    throw new UserError(
      `${name} has data format ${head.format}, this Hearth knows formats up to ${format}: restore it with Hearth ${head.ver} or newer.`,
    );
  }
  const key = files.find(one => one.in === 'trust' && one.file === 'cluster-key.pem');
  if (!key || fingerprint(key.text) !== head.cluster) {
    throw new UserError(`${name} does not hold the key of its cluster ${head.cluster}: take another backup.`);
  }
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new UserError(`${folder} is not empty: give a new folder with --data FOLDER, or move that one away first.`);
  }
  // Beside, and renamed when whole: a restore that was killed leaves no folder that starts as a new cluster with the old key.
  const beside = `${folder}.restoring`;
  rmSync(beside, { recursive: true, force: true });
  try {
    const gen = generationAfter(head.gen, nowMs);
    const boot = Number(entries.find(([name]) => name === bootKey)?.[1] ?? 0);
    await fill(beside, entries, files, [
      { put: 'meta/gen', value: String(gen) },
      { put: bootKey, value: String(bootAfter(boot, nowMs)) },
      { put: amnestyKey, value: JSON.stringify(restoredAt(head.at_ms, nowMs, restoredBefore(entries))) },
    ]);
    raiseBundleSerial(join(beside, 'trust'), nowMs);
    if (existsSync(folder)) rmdirSync(folder);
    renameSync(beside, folder);
    const nodes = entries.filter(([key]) => key.startsWith('doc/node/')).length;
    return { cluster: head.cluster, gen, rev: head.rev, nodes, atMs: head.at_ms };
  } catch (error) {
    rmSync(beside, { recursive: true, force: true });
    throw error;
  }
}

async function fill(
  folder: string,
  entries: Backup['entries'],
  files: Backup['files'],
  changed: readonly StoreOp[],
): Promise<void> {
  makeFolder(folder);
  const data = openDataFolder(folder);
  for (const { file, in: where, mode, text } of files) {
    writeSafely(join(where === 'trust' ? data.trust : data.path, file), text, mode & 0o755);
  }
  const store = await openLevelStore(data.journal);
  try {
    const ops: StoreOp[] = entries.map(([put, value]) => ({ put, value }));
    ops.push(...changed);
    await new Promise<void>((resolve, reject) => store.write(ops, error => (error ? reject(error) : resolve())));
  } finally {
    await new Promise<void>(resolve => store.close(resolve));
  }
  writeFormat(data);
}

function restoredBefore(entries: Backup['entries']): RestoreTimes | undefined {
  const text = entries.find(([key]) => key === amnestyKey)?.[1];
  const json = text === undefined ? undefined : parseJson(text);
  return json?.ok ? restoredSchema.safeParse(json.value).data : undefined;
}

function fingerprint(pem: string): string | undefined {
  try {
    return signerFromPem(pem).cluster;
  } catch {
    return undefined;
  }
}
