/** Steps of single files: written beside and renamed over, or removed; what was there before is kept first. */
import type { BigIntStats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fingerprint, identity, kindOf, modeOf } from './fingerprint.ts';
import type { Content } from './host.ts';
import type { Entry } from './ledger.ts';
import { makeFolders, type Place } from './place.ts';
import type { FileSteps } from './plan.ts';
import { recover } from './recover.ts';
import type { FileTarget, Target } from './target.ts';
import { fetchCopy, openPath, temporary, type Work, type Workshop } from './workshop.ts';
import { shown, Wrong } from './wrong.ts';

export interface Outcome {
  /** The content is other than it was: who depends on it wants to know. */
  readonly isChanged: boolean;
  /** What was at the path when a file was put right, if that is small enough to be shown, and what is there now. */
  readonly replaced?: { readonly was: Buffer; readonly now: Buffer; readonly mode: number };
}

/** Texts longer than this are not compared for people. */
export const longestShown = 64 * 1024;

export async function writeFile(
  shop: Workshop,
  { name, target, isRepair }: FileSteps['file.write'],
  work: Work,
): Promise<Outcome> {
  const { path } = target;
  refuseOther(shop, target);
  if (target.source !== undefined) await refuseInTheWay(shop, target);
  const from = await contentOf(shop, target, work);
  work.doing('writing');
  let place: Place | undefined;
  try {
    const opened = await openPath(shop, path, target.uid);
    place = opened.place;
    const before = opened.at === undefined ? undefined : await shop.host.lstat(opened.at);
    refuse(path, before);
    const shownBefore = opened.at !== undefined && before ? await small(shop, opened.at, before) : undefined;
    const temp = temporary(shop.random);
    const held = await begin(shop, name, target, before, {
      temp,
      sha256: from.sha256,
      folders: place.missing.map((_, index, all) => join(place?.real ?? '/', ...all.slice(0, index + 1))),
    });
    place = await makeFolders(shop.host, place, dirname(path), target.uid);
    const at = join(place.base, basename(path));
    if (before && held.doing?.step === 'write' && held.doing.was !== undefined)
      await shop.originals.keepFile(path, at, before);
    const beside = join(place.base, temp);
    const made = await shop.host.create(beside, from.content, { mode: target.mode, uid: target.uid, gid: target.gid });
    await shop.host.rename(beside, at);
    await shop.host.syncFolder(place.base);
    const seen = await shop.host.lstat(at);
    shop.fine.delete(path);
    shop.ledger.set(path, {
      ...held,
      key: target.key,
      sha256: from.sha256,
      uid: Number(made.uid),
      gid: Number(made.gid),
      mode: modeOf(made),
      // What was changed since it was written is told by its content at the next look.
      seen:
        seen && seen.ino === made.ino && seen.mtimeNs === made.mtimeNs && seen.size === made.size
          ? fingerprint(seen)
          : '',
      doing: undefined,
    });
    await shop.ledger.commit();
    const now =
      shownBefore &&
      (Buffer.isBuffer(from.content) ? from.content : await shop.host.read(from.content.file, longestShown));
    const isSame = shownBefore !== undefined && now !== undefined && shownBefore.equals(now);
    return {
      isChanged: !isSame && (held.key === '' || isRepair || held.sha256 !== from.sha256),
      ...(isRepair && shownBefore && now && before && !isSame
        ? { replaced: { was: shownBefore, now, mode: modeOf(before) & target.mode } }
        : {}),
    };
  } catch (error) {
    await recover(shop, path).catch(() => {});
    throw error;
  } finally {
    await place?.close();
    from.release();
  }
}

/** A path that was of another kind is restored first; where that failed, nothing is built upon it. */
export function refuseOther({ ledger }: Workshop, { path, what }: Target): void {
  const held = ledger.entries.get(path);
  if (held && held.what !== what) throw new Wrong(`${shown(path)}: what was there before has not come back yet`);
}

/** Before anything is fetched for it. */
async function refuseInTheWay(shop: Workshop, target: FileTarget): Promise<void> {
  const { place, at } = await openPath(shop, target.path, target.uid);
  try {
    refuse(target.path, at === undefined ? undefined : await shop.host.lstat(at));
  } finally {
    await place.close();
  }
}

function refuse(path: string, stat: BigIntStats | undefined): void {
  const kind = stat && kindOf(stat);
  if (kind === 'folder') throw new Wrong(`${shown(path)} is a folder: move it away, or name another path`);
  if (kind === 'other')
    throw new Wrong(`${shown(path)} is a pipe, socket or device: move it away, or name another path`);
}

const small = async (shop: Workshop, at: string, stat: BigIntStats): Promise<Buffer | undefined> =>
  stat.isFile() && stat.size <= longestShown ? shop.host.read(at, longestShown).catch(() => undefined) : undefined;

/**
 * The intent: from here on, {@link recover} knows what to look for.
 * @returns the entry with it.
 */
async function begin(
  shop: Workshop,
  name: string,
  target: FileSteps['file.write' | 'file.remove']['target'],
  before: BigIntStats | undefined,
  intent: { readonly temp: string; readonly sha256: string; readonly folders: readonly string[] },
): Promise<Entry> {
  const { path } = target;
  const held = await adopted(shop, path);
  const entry: Entry = held ?? {
    item: '',
    what: target.what,
    key: '',
    sha256: '',
    uid: target.uid ?? shop.host.uid,
    gid: target.gid ?? 0,
    mode: 0,
    seen: '',
    kept: before !== undefined,
    folders: [],
  };
  const whole: Entry = {
    ...entry,
    item: name,
    what: target.what,
    folders: [...new Set([...entry.folders, ...intent.folders])],
    doing: {
      step: 'write',
      temp: intent.temp,
      key: target.key,
      sha256: intent.sha256,
      was: held ? undefined : before ? identity(before) : '',
    },
  };
  shop.ledger.set(path, whole);
  await shop.ledger.commit();
  return whole;
}

/**
 * What Hearth has at a path. Where the ledger was lost but an original is still kept, what stands at the path is taken
 * for Hearth's own, so that it never takes that original's place.
 */
export async function adopted(shop: Workshop, path: string): Promise<Entry | undefined> {
  const held = shop.ledger.entries.get(path);
  if (held || !(await shop.originals.look(path))) return held;
  return {
    item: '',
    what: 'file',
    key: '',
    sha256: '',
    uid: shop.host.uid,
    gid: 0,
    mode: 0,
    seen: '',
    kept: true,
    folders: [],
  };
}

interface From {
  readonly content: Content;
  readonly sha256: string;
  release(): void;
}

async function contentOf(shop: Workshop, target: FileTarget, work: Work): Promise<From> {
  if (target.content !== undefined) {
    return { content: Buffer.from(target.content), sha256: target.sha256 ?? '', release: () => {} };
  }
  const own = await ownContent(shop, target);
  if (own) return own;
  const copy = await fetchCopy(shop, target.source ?? '', target.sha256, work);
  return { content: { file: copy.file }, sha256: copy.sha256, release: () => copy.release() };
}

/** Only permissions differ: the file itself is a copy of its source, and the network is left alone. */
async function ownContent(shop: Workshop, { path, sha256, uid }: FileTarget): Promise<From | undefined> {
  if (sha256 === undefined || shop.ledger.entries.get(path)?.sha256 !== sha256) return undefined;
  const { place, at } = await openPath(shop, path, uid);
  const isSame = at !== undefined && (await shop.host.hash(at).catch(() => '')) === sha256;
  if (isSame) return { content: { file: at }, sha256, release: () => void place.close().catch(() => {}) };
  await place.close();
  return undefined;
}

export async function removeFile(
  shop: Workshop,
  { name, target }: FileSteps['file.remove'],
  work: Work,
): Promise<Outcome> {
  const { path } = target;
  refuseOther(shop, target);
  const { place, at } = await openPath(shop, path, undefined);
  try {
    const before = at === undefined ? undefined : await shop.host.lstat(at);
    if (before && kindOf(before) === 'folder') {
      throw new Wrong(`${shown(path)} is a folder: only files are made absent`);
    }
    refuse(path, before);
    if (at === undefined || !before) {
      const held = shop.ledger.entries.get(path);
      if (held) {
        shop.ledger.set(path, { ...held, key: target.key });
        await shop.ledger.commit();
      }
      return { isChanged: false };
    }
    work.doing('removing');
    const held = await begin(shop, name, target, before, { temp: temporary(shop.random), sha256: '', folders: [] });
    if (held.doing?.step === 'write' && held.doing.was !== undefined) await shop.originals.keepFile(path, at, before);
    await shop.host.unlink(at);
    await shop.host.syncFolder(place.base);
    shop.ledger.set(path, { ...held, key: target.key, doing: undefined });
    await shop.ledger.commit();
    return { isChanged: true };
  } catch (error) {
    await recover(shop, path).catch(() => {});
    throw error;
  } finally {
    await place.close();
  }
}
