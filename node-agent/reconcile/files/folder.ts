/** Steps of folders that come from an archive: swapped in whole, or put right file by file. */
import type { BigIntStats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Fetched } from '../../artifacts/fetching.ts';
import { type Tree, unpackInto } from './archive/unpack.ts';
import { identity, kindOf } from './fingerprint.ts';
import type { Pinned } from './host.ts';
import type { Entry } from './ledger.ts';
import { type Manifest, manifestOf } from './manifest.ts';
import { makeFolders, type Place } from './place.ts';
import type { FileSteps } from './plan.ts';
import { recover } from './recover.ts';
import { isFolderOurs, renameNear, restorePath } from './restore.ts';
import { syncTree } from './sync-tree.ts';
import { type FolderTarget, isBelow } from './target.ts';
import { removeTree } from './trees.ts';
import { editedName, fetchCopy, isTemporary, openPath, temporary, type Work, type Workshop } from './workshop.ts';
import { adopted, type Outcome, refuseOther } from './write.ts';
import { shown, Wrong } from './wrong.ts';

/** Of the folder itself. */
export const folderMode = 0o755;

/** The archive, unpacked into a folder beside that nobody else can enter. */
interface Beside {
  readonly place: Place;
  /** Where the folder is to be. */
  readonly at: string;
  readonly temp: string;
  readonly held: Entry;
  readonly wasHeld: boolean;
  readonly tree: Tree;
  readonly pinned: Pinned;
  readonly sha256: string;
}

export async function unpackFolder(
  shop: Workshop,
  { name, target }: FileSteps['folder.unpack'],
  work: Work,
): Promise<Outcome> {
  return withUnpacked(shop, name, target, work, async beside => {
    const { host, ledger, manifests } = shop;
    const { path } = target;
    const manifest = await manifestOf(host, beside.pinned.base, beside.tree);
    const seen = shop.random.hex(8);
    await host.allowFolder(beside.pinned.base, { mode: folderMode, uid: target.uid, gid: target.gid });
    await syncTree(host, beside.pinned.base, manifest);
    await manifests.write(seen, manifest);
    const after: Entry = {
      ...beside.held,
      key: target.key,
      sha256: beside.sha256,
      uid: target.uid ?? host.uid,
      gid: target.gid ?? Number((await host.lstat(join(dirname(beside.at), beside.temp)))?.gid ?? 0),
      mode: folderMode,
      seen,
      doing: undefined,
    };
    // What other items put into the folder goes first: what was there before them is part of it, and so is what comes.
    for (const inner of [...ledger.entries.keys()]
      .filter(other => isBelow(other, path))
      .sort()
      .reverse()) {
      await restorePath(shop, inner, work);
    }
    work.doing('swapping in');
    await swapIn(shop, target, beside, after, work);
    ledger.set(path, after);
    await ledger.commit();
    shop.fine.clear();
    if (beside.held.seen !== '') await manifests.remove(beside.held.seen);
    return { isChanged: true };
  });
}

async function swapIn(shop: Workshop, target: FolderTarget, beside: Beside, after: Entry, work: Work): Promise<void> {
  const { host, ledger, originals } = shop;
  const { path } = target;
  const { at, temp, held, wasHeld } = beside;
  const folder = dirname(at);
  const before = await host.lstat(at);
  if (before && kindOf(before) === 'other')
    throw new Wrong(`${shown(path)} is a pipe, socket or device: move it away first`);
  const isKept = before !== undefined && !wasHeld;
  const next: Entry = { ...after, kept: held.kept || isKept };
  const { doing: _, ...rest } = next;
  const intent = async (aside: string | undefined) => {
    const was = wasHeld ? undefined : before ? identity(before) : '';
    ledger.set(path, { ...held, kept: next.kept, doing: { step: 'swap', temp, aside, was, becomes: rest } });
    await ledger.commit();
  };
  let aside: string | undefined;
  if (isKept) {
    await intent(undefined);
    if (!(await renameNear(host, at, originals.at(path)))) {
      await originals.keepCopy(path, at);
      aside = temporary(shop.random);
    } else await host.syncFolder(originals.folder);
  } else if (before) {
    const isOurs = kindOf(before) === 'folder' && (await isFolderOurs(shop, path, held, at));
    aside = isOurs ? temporary(shop.random) : await editedName(shop, at);
    if (!isTemporary(aside)) {
      work.notice(
        'warn',
        `${path} holds what is not from its archive: the folder as it was is now ${join(dirname(path), aside)}`,
      );
    }
  }
  if (aside !== undefined || !isKept) await intent(aside);
  if (aside !== undefined) await host.rename(at, join(folder, aside));
  await host.rename(join(folder, temp), at);
  await host.syncFolder(folder);
  if (aside !== undefined && isTemporary(aside)) await removeTree(host, join(folder, aside));
  Object.assign(after, { kept: next.kept });
}

/** Only what differs: whatever else came to be in the folder stays. */
export async function repairFolder(
  shop: Workshop,
  { name, target }: FileSteps['folder.repair'],
  changed: readonly string[],
  work: Work,
): Promise<Outcome> {
  return withUnpacked(shop, name, target, work, async beside => {
    const { host, ledger, manifests } = shop;
    const { path } = target;
    const fresh = await manifestOf(host, beside.pinned.base, beside.tree);
    const known: Manifest = new Map((await manifests.read(beside.held.seen)) ?? []);
    for (const inner of changed) {
      if (fresh.has(inner)) await repairOne(shop, target, beside, inner, fresh, known, work);
    }
    await host.allowFolder(beside.at, { mode: folderMode, uid: target.uid, gid: target.gid });
    await manifests.write(beside.held.seen, known);
    for (const inner of changed) shop.fine.delete(inner);
    // The folder beside is removed with its intent.
    await recover(shop, path);
    const held = ledger.entries.get(path);
    if (held) ledger.set(path, { ...held, mode: folderMode });
    await ledger.commit();
    return { isChanged: true };
  });
}

async function repairOne(
  shop: Workshop,
  target: FolderTarget,
  beside: Beside,
  inner: string,
  fresh: Manifest,
  known: Manifest,
  work: Work,
): Promise<void> {
  const { host } = shop;
  const entry = fresh.get(inner);
  if (!entry) return;
  const { place, at } = await openPath(shop, join(target.path, inner), target.uid);
  try {
    if (at === undefined) throw new Wrong(`${shown(join(target.path, inner))}: its folder is gone`);
    const now = await host.lstat(at);
    if (now && kindOf(now) !== entry.kind && kindOf(now) === 'folder') {
      const edited = await editedName(shop, at);
      await host.rename(at, join(dirname(at), edited));
      work.notice(
        'warn',
        `${join(target.path, inner)} was a folder that is not from the archive: it is now ${edited} beside`,
      );
    } else if (now && entry.kind === 'folder' && kindOf(now) !== 'folder') await host.unlink(at);
    const from = join(beside.pinned.base, inner);
    if (entry.kind === 'folder') {
      if (!(await host.lstat(at))) await host.mkdir(at, 0o755);
      const as = await host.lstat(from);
      if (as) await host.allowFolder(at, { mode: Number(as.mode & 0o7777n), uid: Number(as.uid), gid: Number(as.gid) });
    } else await host.rename(from, at);
    await host.syncFolder(dirname(at));
    const [seen] = await manifestOf(
      host,
      dirname(at),
      new Map([[basename(at), { kind: entry.kind, text: entry.text }]]),
    );
    if (seen) known.set(inner, seen[1]);
  } finally {
    await place.close();
  }
}

/** Fetches, makes the folder beside, unpacks into it; and if anything goes wrong, puts it all right again. */
async function withUnpacked(
  shop: Workshop,
  name: string,
  target: FolderTarget,
  work: Work,
  use: (beside: Beside) => Promise<Outcome>,
): Promise<Outcome> {
  const { host, ledger } = shop;
  const { path, uid } = target;
  let copy: Fetched | undefined;
  let place: Place | undefined;
  let pinned: Pinned | undefined;
  refuseOther(shop, target);
  try {
    copy = await fetchCopy(shop, target.source, target.sha256, work);
    work.doing('unpacking');
    ({ place } = await openPath(shop, path, uid));
    const known = await adopted(shop, path);
    const temp = temporary(shop.random);
    const { real, missing } = place;
    const folders = missing.map((_, index, all) => join(real, ...all.slice(0, index + 1)));
    const held = entryOf(known, name, target, host.uid, folders);
    ledger.set(path, { ...held, doing: { step: 'unpack', temp, fresh: known === undefined } });
    await ledger.commit();
    place = await makeFolders(host, place, dirname(path), uid);
    const at = join(place.base, basename(path));
    await host.mkdir(join(place.base, temp), 0o700);
    pinned = await host.pin(join(place.base, temp));
    await refuseForeign(pinned.stat, host.uid, path);
    const tree = await unpackInto(host, copy.file, pinned.base, {
      limits: shop.archives,
      strip: target.strip,
      uid,
      gid: target.gid,
      progress: bytes => work.doing(`unpacking, ${(bytes / 1e6).toFixed(0)} MB so far`),
      signal: work.signal,
    });
    return await use({ place, at, temp, held, wasHeld: known !== undefined, tree, pinned, sha256: copy.sha256 });
  } catch (error) {
    await recover(shop, path).catch(() => {});
    throw error;
  } finally {
    await pinned?.close();
    await place?.close();
    copy?.release();
  }
}

/** Where others may rename what is in the folder around it, ours was made a moment ago and nobody else can have this one. */
function refuseForeign(stat: BigIntStats, uid: number, path: string): void {
  if (stat.uid === BigInt(uid) && (stat.mode & 0o077n) === 0n) return;
  throw new Wrong(`${shown(path)}: somebody else changed the folder in which it was being unpacked`);
}

const entryOf = (
  known: Entry | undefined,
  item: string,
  target: FolderTarget,
  uid: number,
  folders: readonly string[],
): Entry => ({
  key: '',
  sha256: '',
  uid: target.uid ?? uid,
  gid: target.gid ?? 0,
  mode: folderMode,
  seen: '',
  kept: false,
  ...known,
  item,
  what: 'folder',
  folders: [...new Set([...(known?.folders ?? []), ...folders])],
  doing: undefined,
});
