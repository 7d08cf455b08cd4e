/** Looks at the machine as far as planning needs it: what is held against what is there, what is wanted against what can be. */
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { FileItem } from '../../../shared/schemas/file.ts';
import { fingerprint, kindOf, modeOf } from './fingerprint.ts';
import type { Entry } from './ledger.ts';
import { compare } from './manifest.ts';
import { openPlace, type Place } from './place.ts';
import { clashes, type HeldIs } from './plan.ts';
import { elsewhere } from './restore.ts';
import { localPath, type Surroundings, type Target, targetOf } from './target.ts';
import type { Facts } from './template.ts';
import type { Workshop } from './workshop.ts';
import { sentenceOf } from './wrong.ts';

/** How a path differs from what Hearth left there. */
export interface Drift {
  /** `edited`, `gone`, `mode`, `owner`, … */
  readonly why: string;
  /** Of a folder: the paths in it that differ. */
  readonly inner: readonly string[];
  /** Changes whenever what is there does. */
  readonly seen: string;
}

export interface Seen {
  readonly held: ReadonlyMap<string, HeldIs>;
  readonly targets: ReadonlyMap<string, Target>;
  readonly there: ReadonlySet<string>;
  readonly drifts: ReadonlyMap<string, Drift>;
  /** By name: why an item cannot be made for now. */
  readonly wrong: ReadonlyMap<string, string>;
  /** Of these the ones whose place could not be looked at: another look may go better. */
  readonly unseen: ReadonlySet<string>;
  /** By name: the target's key, or why there is none. */
  readonly said: ReadonlyMap<string, string>;
}

/** All targets, and why others cannot be. */
export async function targetsOf(
  wanted: Readonly<Record<string, FileItem>>,
  facts: Facts,
  uid: number,
  ownFolder: string,
): Promise<{ targets: Map<string, Target>; wrong: Map<string, string>; said: Map<string, string> }> {
  const items = Object.values(wanted);
  const hasOwners = items.some(item => item.owner !== undefined);
  const [passwd, group] = hasOwners ? await Promise.all(['/etc/passwd', '/etc/group'].map(readText)) : ['', ''];
  const sources = new Map<string, string>();
  for (const { source = '', sha256 } of items) {
    const path = sha256 === undefined ? localPath(source) : undefined;
    if (path !== undefined && !sources.has(path)) sources.set(path, await sourceSeen(path));
  }
  const around: Surroundings = {
    facts,
    accounts: { passwd: passwd ?? '', group: group ?? '', uid, groups: process.getgroups?.() ?? [] },
    sourceSeen: path => sources.get(path) ?? '',
    ownFolder,
  };
  const targets = new Map<string, Target>();
  const wrong = new Map<string, string>(clashes(wanted));
  for (const [name, item] of Object.entries(wanted)) {
    if (wrong.has(name)) continue;
    const target = targetOf(item, around);
    if ('wrong' in target) wrong.set(name, target.wrong);
    else targets.set(name, target);
  }
  const said = new Map([...wrong, ...[...targets].map(([name, { key }]) => [name, key] as const)]);
  return { targets, wrong, said };
}

const readText = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

/** A local source may be a symlink: what counts is what is read through it. */
const sourceSeen = (path: string): Promise<string> =>
  stat(path, { bigint: true }).then(
    found => `${found.ino.toString(36)}.${found.size.toString(36)}.${found.mtimeNs.toString(36)}`,
    () => '',
  );

/**
 * @param suspects paths of which an event was heard: their content is compared even where nothing else tells.
 */
export async function lookAt(
  shop: Workshop,
  wanted: Readonly<Record<string, FileItem>>,
  facts: Facts,
  ownFolder: string,
  suspects: ReadonlySet<string>,
): Promise<Seen> {
  const { targets, wrong, said } = await targetsOf(wanted, facts, shop.host.uid, ownFolder);
  const unseen = new Set<string>();
  const nameOf = new Map([...targets].map(([name, target]) => [target.path, name]));
  const held = new Map<string, HeldIs>();
  const drifts = new Map<string, Drift>();
  const there = new Set<string>();
  const places = new Places(shop);
  try {
    const entries = [...shop.ledger.entries];
    // Many at once: most of it is waiting for the system.
    await inParts(entries, async ([path, entry]) => {
      const name = nameOf.get(path);
      const target = name === undefined ? undefined : targets.get(name);
      if (name !== undefined && entry.item !== name) shop.ledger.rename(path, name);
      if (name === undefined || target?.key !== entry.key) return;
      try {
        const drift = await driftAt(shop, path, entry, places, suspects.has(path));
        if (drift) drifts.set(path, drift);
      } catch (error) {
        unseen.add(name);
        wrong.set(name, sentenceOf(error, path, shop.host.isRoot));
      }
    });
    for (const [path, { item, what, key }] of entries) {
      held.set(path, { item: nameOf.get(path) ?? item, what, key, isDrifted: drifts.has(path) });
    }
    await inParts([...targets], async ([name, target]) => {
      if (target.what !== 'absent' || held.has(target.path)) return;
      try {
        const at = await places.at(target.path, undefined);
        if (at !== undefined && (await shop.host.lstat(at))) there.add(target.path);
      } catch (error) {
        unseen.add(name);
        wrong.set(name, sentenceOf(error, target.path, shop.host.isRoot));
      }
    });
  } finally {
    await places.close();
  }
  for (const name of wrong.keys()) targets.delete(name);
  return { held, targets, there, drifts, wrong, unseen, said };
}

async function inParts<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const atOnce = 32;
  for (let at = 0; at < items.length; at += atOnce) await Promise.all(items.slice(at, at + atOnce).map(run));
}

/** Folders opened once for all the files in them. */
export class Places {
  readonly #shop: Workshop;
  readonly #open = new Map<string, Promise<Place>>();

  constructor(shop: Workshop) {
    this.#shop = shop;
  }

  /** Where the path is; undefined where its folder is not there. */
  async at(path: string, uid: number | undefined): Promise<string | undefined> {
    const key = `${uid ?? ''} ${dirname(path)}`;
    const opened = this.#open.get(key) ?? openPlace(this.#shop.host, dirname(path), uid);
    this.#open.set(key, opened);
    const place = await opened;
    return place.missing.length === 0 ? join(place.base, basename(path)) : undefined;
  }

  async close(): Promise<void> {
    for (const opened of this.#open.values()) await opened.then(place => place.close()).catch(() => {});
    this.#open.clear();
  }
}

/** Content of a file whose fingerprint is the same is compared up to this size, and only after an event. */
const smallFile = 1024n * 1024n;

/** @returns undefined where all is as Hearth left it. */
export async function driftAt(
  shop: Workshop,
  path: string,
  entry: Entry,
  places: Places,
  isSuspect: boolean,
): Promise<Drift | undefined> {
  const at = await places.at(path, entry.uid);
  const now = at === undefined ? undefined : await shop.host.lstat(at);
  if (entry.what === 'absent') return now && { why: 'there again', inner: [], seen: fingerprint(now) };
  if (at === undefined || !now) return { why: 'gone', inner: [], seen: '' };
  const seen = fingerprint(now);
  const drift = (why: string, inner: readonly string[] = []): Drift => ({
    why,
    inner,
    seen: `${seen} ${inner.join('\0')}`,
  });
  const kind = kindOf(now);
  if (kind !== entry.what) return drift(`a ${kind} is in its place`);
  if (modeOf(now) !== entry.mode) return drift('its permissions were changed');
  if (Number(now.uid) !== entry.uid || Number(now.gid) !== entry.gid) return drift('its owner was changed');
  if (entry.what === 'folder') {
    const changed = await folderChanges(shop, path, entry, at);
    return changed.length === 0 ? undefined : drift(`${changed.length} of what is in it changed`, changed);
  }
  const isKnown = seen === entry.seen || shop.fine.get(path) === seen;
  if (isKnown && !(isSuspect && now.size <= smallFile)) return undefined;
  if ((await shop.host.hash(at)) !== entry.sha256) return drift('edited');
  if (seen !== entry.seen) shop.fine.set(path, seen);
  return undefined;
}

async function folderChanges(shop: Workshop, path: string, entry: Entry, at: string): Promise<readonly string[]> {
  const manifest = await shop.manifests.read(entry.seen);
  if (!manifest) return ['.'];
  const pinned = await shop.host.pin(at);
  try {
    const fine = new FineIn(shop.fine, path);
    return (await compare(shop.host, pinned.base, manifest, elsewhere(shop, path), fine, false)).changed;
  } finally {
    await pinned.close();
  }
}

/** What is known to be fine in a folder, in the map of all. */
class FineIn extends Map<string, string> {
  readonly #all: Map<string, string>;
  readonly #folder: string;

  constructor(all: Map<string, string>, folder: string) {
    super();
    this.#all = all;
    this.#folder = folder;
  }

  override get(path: string): string | undefined {
    return this.#all.get(`${this.#folder}/${path}`);
  }

  override set(path: string, seen: string): this {
    this.#all.set(`${this.#folder}/${path}`, seen);
    return this;
  }
}
