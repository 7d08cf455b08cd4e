/**
 * Puts right what was left half done at a path: at the start by an agent that was killed, and by a step that failed. What
 * the ledger says was under way decides; everything here may itself be ended at any point and be done again.
 */
import type { BigIntStats } from 'node:fs';
import { dirname, join } from 'node:path';
import { identity, kindOf, modeOf } from './fingerprint.ts';
import type { Doing, Entry } from './ledger.ts';
import { removeTree } from './trees.ts';
import { isTemporary, openPath, removeFolders, type Workshop } from './workshop.ts';

/** All that is under way in the ledger, and files that nothing refers to. @returns sentences on what could not be put right yet. */
export async function recoverAll(shop: Workshop): Promise<string[]> {
  const failed: string[] = [];
  for (const path of [...shop.ledger.entries.keys()]) {
    await recover(shop, path).catch(error => failed.push(`${path}: ${(error as Error).message}`));
  }
  const used = new Set<string>();
  for (const { seen, doing } of shop.ledger.entries.values()) {
    used.add(seen);
    if (doing?.step === 'swap') used.add(doing.becomes.seen);
  }
  await shop.manifests.sweep(used);
  return failed;
}

/** @throws where the machine does not let us; the ledger still says what was under way then. */
export async function recover(shop: Workshop, path: string): Promise<void> {
  const entry = shop.ledger.entries.get(path);
  const doing = entry?.doing;
  if (!entry || !doing) return;
  const { place, at } = await openPath(shop, path, entry.uid);
  try {
    // A folder that is to be swapped in is looked for before it is removed.
    if (at !== undefined && doing.step !== 'swap') await removeTree(shop.host, join(dirname(at), doing.temp));
    const now = at === undefined ? undefined : await shop.host.lstat(at);
    const after = await outcomeOf(shop, path, entry, doing, at, now);
    if (place.missing.length === 0) await shop.host.syncFolder(place.base);
    if (after === undefined) await forget(shop, path, entry);
    else shop.ledger.set(path, { ...after, doing: undefined });
  } finally {
    await place.close();
  }
  await shop.ledger.commit();
}

async function forget(shop: Workshop, path: string, entry: Entry): Promise<void> {
  shop.ledger.set(path, undefined);
  await removeFolders(shop, path, entry);
}

/** @returns what is so now; undefined: Hearth has nothing at the path. */
async function outcomeOf(
  shop: Workshop,
  path: string,
  entry: Entry,
  doing: Doing,
  at: string | undefined,
  now: BigIntStats | undefined,
): Promise<Entry | undefined> {
  switch (doing.step) {
    case 'write':
      return afterWrite(shop, path, entry, doing, at, now);
    case 'unpack':
      if (!doing.fresh) return entry;
      await shop.originals.drop(path);
      return undefined;
    case 'swap':
      return afterSwap(shop, path, entry, doing, at, now);
    case 'restore':
      return afterRestore(shop, path, entry, doing, at, now);
  }
}

type Of<Step> = Extract<Doing, { step: Step }>;

/** The key is forgotten where it was done: the next plan makes sure of the permissions, and tells those who need the file. */
async function afterWrite(
  shop: Workshop,
  path: string,
  entry: Entry,
  doing: Of<'write'>,
  at: string | undefined,
  now: BigIntStats | undefined,
): Promise<Entry | undefined> {
  const isNew = doing.sha256 !== '' && at !== undefined && now?.isFile() && (await shop.host.hash(at)) === doing.sha256;
  const done = (): Entry => ({
    ...entry,
    key: '',
    sha256: doing.sha256,
    seen: '',
    ...(now?.isFile() ? ownersOf(now) : {}),
  });
  if (doing.was === undefined) return isNew ? done() : entry;
  const isUntouched = doing.was === (now ? identity(now) : '');
  const kept = await shop.originals.look(path);
  // Nothing was there before: what is there now is ours, or somebody else's who came in between.
  if (doing.was === '') return isNew ? done() : undefined;
  if (!isUntouched && kept) return { ...done(), kept: true };
  await shop.originals.drop(path);
  return undefined;
}

const ownersOf = (stat: BigIntStats) => ({ uid: Number(stat.uid), gid: Number(stat.gid), mode: modeOf(stat) });

async function afterSwap(
  shop: Workshop,
  path: string,
  entry: Entry,
  doing: Of<'swap'>,
  at: string | undefined,
  now: BigIntStats | undefined,
): Promise<Entry | undefined> {
  const { host, originals } = shop;
  if (at === undefined) return doing.was === undefined ? entry : keptOr(shop, path, entry);
  const beside = (name: string) => join(dirname(at), name);
  const temp = await host.lstat(beside(doing.temp));
  const aside = doing.aside === undefined ? undefined : await host.lstat(beside(doing.aside));
  if (!temp) {
    if (doing.aside !== undefined && isTemporary(doing.aside)) await removeTree(host, beside(doing.aside));
    return doing.becomes;
  }
  // Not swapped in: what was there goes back to its place, unless somebody put something else there.
  if (!now && doing.aside !== undefined && aside) await host.rename(beside(doing.aside), at);
  else if (!now && doing.aside === undefined && doing.was) await backFromOriginals(shop, path, at);
  else if (doing.aside !== undefined && aside && isTemporary(doing.aside)) {
    if (doing.was === undefined || (await originals.look(path))) await removeTree(host, beside(doing.aside));
  }
  await removeTree(host, beside(doing.temp));
  if (doing.was === undefined) return entry;
  const there = await host.lstat(at);
  // A copy of what is still in its place is not needed.
  if (there && identity(there) === doing.was) {
    await originals.drop(path);
    return undefined;
  }
  return keptOr(shop, path, entry);
}

async function backFromOriginals(shop: Workshop, path: string, at: string): Promise<void> {
  if (!(await shop.originals.look(path))) return;
  await shop.host.rename(shop.originals.at(path), at);
  await shop.host.syncFolder(dirname(at));
}

/** What was there before is not lost: as long as it is kept, the path is looked after. */
const keptOr = async (shop: Workshop, path: string, entry: Entry): Promise<Entry | undefined> =>
  (await shop.originals.look(path)) ? { ...entry, key: '', seen: '', kept: true } : undefined;

async function afterRestore(
  shop: Workshop,
  path: string,
  entry: Entry,
  doing: Of<'restore'>,
  at: string | undefined,
  now: BigIntStats | undefined,
): Promise<Entry | undefined> {
  const isBack = doing.back !== undefined && now !== undefined && identity(now) === doing.back;
  const aside = at === undefined || !isTemporary(doing.aside) ? undefined : join(dirname(at), doing.aside);
  if (isBack) {
    if (aside !== undefined) await removeTree(shop.host, aside);
    await shop.originals.drop(path);
    return undefined;
  }
  if (aside !== undefined && at !== undefined && (await shop.host.lstat(aside))) {
    if (now && kindOf(now) !== 'other') await removeTree(shop.host, aside);
    else if (!now) await shop.host.rename(aside, at);
  }
  return entry;
}
