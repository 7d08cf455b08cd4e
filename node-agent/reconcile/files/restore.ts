/**
 * Hearth no longer looks after a path: what it put there goes, and what was there before comes back. What people changed
 * since is theirs: it is kept beside as `<name>.hearth-edited`, never destroyed.
 */
import type { BigIntStats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fingerprint, identity, kindOf } from './fingerprint.ts';
import type { FileHost } from './host.ts';
import type { Entry } from './ledger.ts';
import { compare } from './manifest.ts';
import { makeFolders } from './place.ts';
import { recover } from './recover.ts';
import { isBelow } from './target.ts';
import { removeTree } from './trees.ts';
import { editedName, isTemporary, openPath, removeFolders, temporary, type Work, type Workshop } from './workshop.ts';

/** @throws where the machine does not let us; what was under way is put right then. */
export async function restorePath(shop: Workshop, path: string, work: Work): Promise<void> {
  const entry = shop.ledger.entries.get(path);
  if (!entry) return;
  work.doing('removing');
  let { place } = await openPath(shop, path, entry.uid);
  try {
    // Its folder may be gone, and what was there before comes back all the same.
    if (await shop.originals.look(path)) place = await makeFolders(shop.host, place, dirname(path), entry.uid);
    if (place.missing.length === 0) await bringBack(shop, path, entry, join(place.base, basename(path)), work);
    shop.ledger.set(path, undefined);
    shop.fine.delete(path);
    await removeFolders(shop, path, entry);
    await shop.ledger.commit();
    if (entry.what === 'folder' && entry.seen !== '') await shop.manifests.remove(entry.seen);
  } catch (error) {
    await recover(shop, path).catch(() => {});
    throw error;
  } finally {
    await place.close();
  }
}

async function bringBack(shop: Workshop, path: string, entry: Entry, at: string, work: Work): Promise<void> {
  const { host, ledger, originals } = shop;
  const folder = dirname(at);
  const now = await host.lstat(at);
  const kept = await originals.look(path);
  // What came to be where nothing was to be, and nothing was before, was never Hearth's.
  if (now && entry.what === 'absent' && !kept) return;
  if (!now && !kept) return;
  const isEdited = now !== undefined && !(await isOurs(shop, path, entry, at, now));
  const edited = isEdited ? await editedName(shop, at) : undefined;
  const aside = edited ?? temporary(shop.random);
  const temp = temporary(shop.random);
  const parent = await host.lstat(folder.startsWith('/proc/self/fd/') ? `${folder}/.` : folder);
  const begin = async (back: BigIntStats | undefined) => {
    ledger.set(path, { ...entry, doing: { step: 'restore', temp, aside, back: back && identity(back) } });
    await ledger.commit();
  };
  const byCopy = async () => {
    await originals.copyBack(path, join(folder, temp));
    await host.syncFolder(folder);
    await begin(await host.lstat(join(folder, temp)));
  };
  let isNear = kept !== undefined && kept.dev === parent?.dev;
  await begin(isNear ? kept : undefined);
  if (kept && !isNear) await byCopy();
  // A file is renamed over a file; whatever else there is goes out of the way first.
  const isOver = kept?.isFile() === true && now?.isFile() === true && !isEdited;
  if (now && !isOver) await host.rename(at, join(folder, aside));
  if (kept && isNear) {
    isNear = await renameNear(host, originals.at(path), at);
    if (!isNear) await byCopy();
  }
  if (kept && !isNear) await host.rename(join(folder, temp), at);
  await host.syncFolder(folder);
  if (isTemporary(aside)) await removeTree(host, join(folder, aside));
  if (kept) await host.syncFolder(originals.folder);
  if (kept && !isNear) await originals.drop(path);
  if (edited !== undefined)
    work.notice('warn', `${path} was edited by hand: what it was is now ${join(dirname(path), edited)}`);
}

/** @returns false where the two are on different file systems after all, as with bind mounts. */
export async function renameNear(host: FileHost, from: string, to: string): Promise<boolean> {
  try {
    await host.rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EXDEV') return false;
    throw error;
  }
}

/** As Hearth left it, so that nothing is lost with it. */
async function isOurs(shop: Workshop, path: string, entry: Entry, at: string, now: BigIntStats): Promise<boolean> {
  if (entry.what === 'file') {
    if (kindOf(now) !== 'file') return false;
    return fingerprint(now) === entry.seen || (await shop.host.hash(at).catch(() => '')) === entry.sha256;
  }
  if (entry.what !== 'folder' || kindOf(now) !== 'folder') return false;
  return isFolderOurs(shop, path, entry, at);
}

/** Nothing in the folder was changed, and nothing came to it. */
export async function isFolderOurs(shop: Workshop, path: string, entry: Entry, at: string): Promise<boolean> {
  const manifest = await shop.manifests.read(entry.seen);
  if (!manifest) return false;
  const pinned = await shop.host.pin(at);
  try {
    const { changed, hasMore } = await compare(
      shop.host,
      pinned.base,
      manifest,
      elsewhere(shop, path),
      new Map(),
      true,
    );
    return changed.length === 0 && !hasMore;
  } finally {
    await pinned.close();
  }
}

/** Whether a path in the folder is another item's, or leads to one. */
export function elsewhere({ ledger }: Workshop, folder: string): (inner: string) => boolean {
  const held = [...ledger.entries.keys()].filter(path => isBelow(path, folder));
  if (held.length === 0) return () => false;
  const made = held.flatMap(path => ledger.entries.get(path)?.folders ?? []);
  const all = new Set([...held, ...made]);
  return inner => all.has(join(folder, inner));
}
