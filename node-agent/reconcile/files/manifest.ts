/**
 * What an unpacked folder holds, so that a look tells whether somebody changed it: by inode, size and times of each file,
 * and by its content only where these differ. In `<data>/items/manifests/`, one file for each folder.
 */
import { join } from 'node:path';
import type { Tree } from './archive/unpack.ts';
import { fingerprint, kindOf } from './fingerprint.ts';
import type { FileHost } from './host.ts';
import { Wrong } from './wrong.ts';

export interface ManifestEntry {
  readonly kind: 'file' | 'folder' | 'symlink';
  /** SHA-256 of a file, target of a symlink. */
  readonly text: string;
  /** Of a file: its fingerprint. Of a folder: its mode and owner. Of a symlink: its owner. */
  readonly seen: string;
}
export type Manifest = Map<string, ManifestEntry>;

const mostBytes = 32 * 1024 * 1024;
/** Paths that differ, at most: more are said as "and more". */
const mostChanges = 1000;

export interface Differences {
  /** Paths that are not as they were, outer ones first. */
  readonly changed: readonly string[];
  /** Something that was not in the archive. */
  readonly hasMore: boolean;
}

/** @param base of the folder, held open or trusted. */
export async function manifestOf(host: FileHost, base: string, tree: Tree): Promise<Manifest> {
  const manifest: Manifest = new Map();
  for (const [path, { kind, text }] of [...tree].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const seen = await seenAt(host, join(base, path));
    if (seen?.kind !== kind) throw new Wrong(`${path} was changed while the archive was unpacked`);
    manifest.set(path, { kind, text, seen: seen.seen });
  }
  return manifest;
}

async function seenAt(host: FileHost, path: string) {
  const stat = await host.lstat(path);
  if (!stat) return undefined;
  const kind = kindOf(stat);
  const owner = `${stat.uid} ${stat.gid}`;
  return {
    kind,
    owner: `${stat.mode} ${owner}`,
    seen: kind === 'file' ? fingerprint(stat) : kind === 'folder' ? `${stat.mode} ${owner}` : owner,
  };
}

/**
 * @param isElsewhere whether a path in the folder is looked after by another item.
 * @param fine fingerprints, by path, of files that were found to be the same under another one; added to.
 * @param withMore whether to look for what was not in the archive, too.
 */
export async function compare(
  host: FileHost,
  base: string,
  manifest: Manifest,
  isElsewhere: (path: string) => boolean,
  fine: Map<string, string>,
  withMore: boolean,
): Promise<Differences> {
  const changed: string[] = [];
  const lost: string[] = [];
  for (const [path, entry] of manifest) {
    if (changed.length >= mostChanges) break;
    if (isElsewhere(path)) continue;
    // What is in a folder that is no folder any more is not looked at through whatever is in its place.
    const isLost = lost.some(folder => path.startsWith(`${folder}/`));
    const now = isLost ? undefined : await seenAt(host, join(base, path));
    if (entry.kind === 'folder' && now?.kind !== 'folder') lost.push(path);
    if (now && now.kind === entry.kind && (await isSame(host, join(base, path), path, entry, now, fine))) continue;
    changed.push(path);
  }
  return { changed, hasMore: withMore && (await hasMore(host, base, '', manifest, isElsewhere)) };
}

async function isSame(
  host: FileHost,
  at: string,
  path: string,
  entry: ManifestEntry,
  now: { readonly seen: string },
  fine: Map<string, string>,
): Promise<boolean> {
  if (entry.kind === 'symlink') return now.seen === entry.seen && (await host.readlink(at)) === entry.text;
  if (now.seen === entry.seen || fine.get(path) === now.seen) return true;
  if (entry.kind === 'folder') return false;
  // Mode and owner are the last three of a fingerprint.
  const permissions = (seen: string) => seen.split(' ').slice(-3).join(' ');
  if (permissions(now.seen) !== permissions(entry.seen)) return false;
  const isContent = await host.hash(at).then(
    hash => hash === entry.text,
    () => false,
  );
  if (isContent) fine.set(path, now.seen);
  return isContent;
}

async function hasMore(
  host: FileHost,
  base: string,
  folder: string,
  manifest: Manifest,
  isElsewhere: (path: string) => boolean,
): Promise<boolean> {
  for (const name of await host.readdir(join(base, folder)).catch(() => [])) {
    const path = folder === '' ? name : `${folder}/${name}`;
    if (isElsewhere(path)) continue;
    const entry = manifest.get(path);
    if (!entry) return true;
    if (entry.kind === 'folder' && (await hasMore(host, base, path, manifest, isElsewhere))) return true;
  }
  return false;
}

export class Manifests {
  readonly #host: FileHost;
  readonly folder: string;
  readonly #read = new Map<string, Manifest>();

  constructor(host: FileHost, folder: string) {
    this.#host = host;
    this.folder = join(folder, 'manifests');
  }

  async write(id: string, manifest: Manifest): Promise<void> {
    await this.#host.replace(this.#file(id), JSON.stringify({ version: 1, entries: [...manifest] }));
    this.#read.set(id, manifest);
  }

  /** Undefined: there is none, or it cannot be read; then all is changed. */
  async read(id: string): Promise<Manifest | undefined> {
    const known = this.#read.get(id);
    if (known) return known;
    try {
      const bytes = await this.#host.read(this.#file(id), mostBytes);
      const { version, entries } = JSON.parse(bytes?.toString() ?? '{}') as { version?: unknown; entries?: unknown };
      if (version !== 1 || !Array.isArray(entries)) return undefined;
      const manifest: Manifest = new Map(entries as [string, ManifestEntry][]);
      this.#read.set(id, manifest);
      return manifest;
    } catch {
      return undefined;
    }
  }

  /** Undefined: not read so far. */
  known(id: string): Manifest | undefined {
    return this.#read.get(id);
  }

  async remove(id: string): Promise<void> {
    this.#read.delete(id);
    await this.#host.unlink(this.#file(id));
  }

  /** Removes all but these. */
  async sweep(ids: ReadonlySet<string>): Promise<void> {
    for (const name of await this.#host.readdir(this.folder).catch(() => [])) {
      if (!ids.has(name.replace(/\.json$/, ''))) await this.#host.unlink(join(this.folder, name));
    }
  }

  #file(id: string): string {
    return join(this.folder, `${id.replace(/[^0-9a-z-]/g, '')}.json`);
  }
}
