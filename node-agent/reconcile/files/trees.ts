/** Whole folders: removed and copied through folders held open, so that nobody who owns one leads the agent out of it. */
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { kindOf, modeOf } from './fingerprint.ts';
import type { FileHost } from './host.ts';
import { shown, Wrong } from './wrong.ts';

/** What may be copied at most. */
export interface CopyLimits {
  readonly entries: number;
  readonly bytes: number;
}
export const copyLimits: CopyLimits = { entries: 20_000, bytes: 1024 ** 3 };

/** Removes whatever is at `path`, which may be nothing. */
export async function removeTree(host: FileHost, path: string): Promise<void> {
  const stat = await host.lstat(path);
  if (!stat) return;
  if (kindOf(stat) !== 'folder') return host.unlink(path);
  if (!host.isRoot && (stat.mode & 0o700n) !== 0o700n) {
    await host.allowFolder(path, { mode: 0o700, uid: undefined, gid: undefined }).catch(() => {});
  }
  const pinned = await host.pin(path);
  try {
    for (const name of await host.readdir(pinned.base)) await removeTree(host, join(pinned.base, name));
  } finally {
    await pinned.close();
  }
  if (!(await host.rmdir(path))) throw new Wrong(`${shown(path)} cannot be removed: it is not empty, or in use`);
}

/** Copies a file, symlink or folder to `to`, where nothing is, with permissions, owners and times. */
export async function copyTree(host: FileHost, from: string, to: string, limits: CopyLimits): Promise<void> {
  const left = { entries: limits.entries, bytes: limits.bytes };
  const stat = await host.lstat(from);
  if (!stat) throw new Wrong(`${shown(from)} is gone`);
  await copyOne(host, from, stat, to, left);
}

interface Left {
  entries: number;
  bytes: number;
}

async function copyOne(host: FileHost, from: string, stat: BigIntStats, to: string, left: Left): Promise<void> {
  const kind = kindOf(stat);
  left.entries--;
  left.bytes -= kind === 'file' ? Number(stat.size) : 0;
  if (left.entries < 0 || left.bytes < 0) {
    throw new Wrong(
      `${shown(from)}: what was there before is too large to be kept: move it away, or name another path`,
    );
  }
  const permissions = {
    mode: modeOf(stat),
    uid: host.isRoot ? Number(stat.uid) : undefined,
    gid: host.isRoot ? Number(stat.gid) : undefined,
  };
  if (kind === 'symlink') {
    return host.symlink(await host.readlink(from), to, permissions.uid, permissions.gid);
  }
  if (kind === 'file') {
    await host.create(to, { file: from }, permissions);
    return host.times(to, stat);
  }
  if (kind !== 'folder') throw new Wrong(`${shown(from)} is a pipe, socket or device, which cannot be kept`);
  await host.mkdir(to, 0o700);
  const [source, target] = [await host.pin(from), await host.pin(to)];
  try {
    for (const name of await host.readdir(source.base)) {
      const inner = await host.lstat(join(source.base, name));
      if (!inner) throw new Wrong(`${shown(join(from, name))} cannot be kept: it is gone, or its name is not UTF-8`);
      await copyOne(host, join(source.base, name), inner, join(target.base, name), left);
    }
    await host.allowFolder(target.base, permissions);
    await host.times(target.base, stat);
    await host.syncFolder(target.base);
  } finally {
    await source.close();
    await target.close();
  }
}
