/**
 * The folder in which a file is written, reached so that no other user of this machine can lead the agent astray.
 *
 * From `/` down, a folder that only root and the agent's user can change is trusted, and is used by its path; a sticky one
 * (such as /tmp) too, since others cannot rename what is ours in it. Symlinks made by root or the agent's user are the
 * admin's choice and are followed. From the first folder on that somebody else can change, folders are held open one by
 * one and used through what is held, never by their path, and no symlink is followed: whoever renames or replaces them
 * in between changes nothing but their own folder. Refused are folders that everybody may write, and folders of a user
 * whose the file is not to be: there it would be that user's anyway.
 */
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { kindOf } from './fingerprint.ts';
import type { FileHost, Pinned } from './host.ts';
import { shown, Wrong } from './wrong.ts';

const mostHops = 40;

export interface Place {
  /** Of the innermost folder that exists: its path, or what holds it open. */
  readonly base: string;
  /** Its path without symlinks, for sentences and for finding it again. */
  readonly real: string;
  /** Names of the folders below that do not exist yet, outermost first. */
  readonly missing: readonly string[];
  /** The folder is one that somebody else can change. */
  readonly isHeld: boolean;
  /** Whose the folder at `base` is. */
  readonly uid: number;
  readonly gid: number;
  close(): Promise<void>;
}

/**
 * @param folder absolute.
 * @param owner whose the file is to be: such a user's folders are entered too.
 * @throws Wrong where the way is refused.
 */
export async function openPlace(host: FileHost, folder: string, owner: number | undefined): Promise<Place> {
  let parts = folder.split('/').filter(part => part !== '');
  let base = '/';
  let real = '/';
  let held: Pinned | undefined;
  let stat = await host.lstat('/');
  if (!stat) throw new Wrong('/: there is no root folder');
  let hops = 0;
  try {
    check(host, '/', stat, owner);
    while (parts.length > 0) {
      const [part = '', ...rest] = parts;
      // Only a symlink's target says "..", and in a trusted chain it is the path less its last folder.
      if (part === '.' || part === '..') {
        if (held) throw new Wrong(`${shown(folder)}: a symlink on the way leads through another user's folder`);
        if (part === '..') base = real = join(base, '..');
        parts = rest;
        continue;
      }
      const next = join(base, part);
      const found = await host.lstat(next);
      if (!found) break;
      const kind = kindOf(found);
      if (kind === 'symlink') {
        if (held)
          throw new Wrong(`${shown(folder)}: ${shown(part)} is a symlink in another user's folder: not followed`);
        if (!isOurs(host, found)) {
          throw new Wrong(
            `${shown(next)} is a symlink of user ${found.uid}: only those of root and the agent's user are followed`,
          );
        }
        if (++hops > mostHops) throw new Wrong(`${shown(folder)}: too many symlinks`);
        const target = await host.readlink(next);
        parts = [...target.split('/').filter(name => name !== ''), ...rest];
        if (target.startsWith('/')) base = real = '/';
        continue;
      }
      if (kind !== 'folder') throw new Wrong(`${shown(next)} is not a folder`);
      stat = found;
      if (held || !isTrusted(host, stat)) {
        if (!host.pins)
          throw new Wrong(`${shown(next)} can be changed by other users: make it root's, or name another path`);
        const inner: Pinned = await host.pin(next);
        await held?.close();
        held = inner;
        stat = inner.stat;
        base = inner.base;
      } else base = next;
      real = join(real, part);
      check(host, held ? `${shown(folder)} (at ${shown(part)})` : shown(next), stat, owner);
      parts = rest;
    }
    if (parts.some(part => part === '.' || part === '..')) throw new Wrong(`${shown(folder)} leads to nowhere`);
    const last = held?.stat ?? (await host.lstat(base)) ?? stat;
    return {
      base,
      real,
      missing: parts,
      isHeld: held !== undefined,
      uid: Number(last.uid),
      gid: Number(last.gid),
      close: async () => held?.close(),
    };
  } catch (error) {
    await held?.close();
    throw error;
  }
}

/** On Android the system's own account is as good as root, and owns the folders that all apps live in. */
const isOurs = (host: FileHost, stat: BigIntStats): boolean =>
  stat.uid === 0n || stat.uid === BigInt(host.uid) || (process.platform === 'android' && stat.uid === 1000n);
const isSticky = (stat: BigIntStats): boolean => (stat.mode & 0o1000n) !== 0n;

/** Nobody but root and the agent's user can rename or replace what is in it. */
const isTrusted = (host: FileHost, stat: BigIntStats): boolean =>
  isOurs(host, stat) && ((stat.mode & 0o022n) === 0n || isSticky(stat));

function check(host: FileHost, where: string, stat: BigIntStats, owner: number | undefined): void {
  if ((stat.mode & 0o002n) !== 0n && !isSticky(stat)) {
    throw new Wrong(`${where} may be written by everybody: take that away (chmod o-w), or name another path`);
  }
  if (!isOurs(host, stat) && stat.uid !== BigInt(owner ?? -1)) {
    throw new Wrong(`${where} belongs to user ${stat.uid}: say whose the file is with "owner", or name another path`);
  }
}

/**
 * Makes the folders of a place that are missing.
 * @returns the place of the innermost one.
 */
export async function makeFolders(
  host: FileHost,
  place: Place,
  folder: string,
  owner: number | undefined,
  attempt = 0,
): Promise<Place> {
  if (place.missing.length === 0) return place;
  let base = place.base;
  let held: Pinned | undefined;
  try {
    for (const name of place.missing) {
      const path = join(base, name);
      try {
        await host.mkdir(path, 0o755);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt >= 8) throw error;
        // Another file of the same plan needed it too.
        await place.close();
        return makeFolders(host, await openPlace(host, folder, owner), folder, owner, attempt + 1);
      }
      // Whose folder it is in, theirs it is: a root's folder in a user's home would be in the way of that user.
      const theirs = place.isHeld && host.isRoot;
      const pinned = await host.pin(path);
      if (pinned.stat.uid !== BigInt(host.uid)) {
        await pinned.close();
        throw new Wrong(`${shown(folder)}: somebody else was quicker to make ${shown(name)}`);
      }
      const uid = theirs ? place.uid : undefined;
      const gid = theirs ? place.gid : undefined;
      await host.allowFolder(pinned.base, { mode: 0o755, uid, gid }).catch(async error => {
        await pinned.close();
        throw error;
      });
      await host.syncFolder(base);
      if (place.isHeld) {
        await held?.close();
        held = pinned;
        base = pinned.base;
      } else {
        await pinned.close();
        base = path;
      }
    }
  } finally {
    await held?.close();
  }
  await place.close();
  return openPlace(host, folder, owner);
}
