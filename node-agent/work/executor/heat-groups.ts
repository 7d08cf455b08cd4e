/**
 * The cgroup folders that processes of class `heat` belong into, so that what dims them dims all of them: as the agent says.
 * Of version 1 (the kernel's cgroup-v1/cgroups.rst) one for each hierarchy; of version 2 (cgroup-v2.rst) one.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, sep } from 'node:path';
import { systemShell } from '../../reconcile/services/launch.ts';

const mostFolders = 16;
/** Joins, where it can, then becomes the command: its children are born there. A group that is gone stops nobody. */
const joining = 'while [ "$1" != -- ]; do { echo 0 >"$1"; } 2>/dev/null; shift; done; shift; exec "$@"';

export interface GroupFolder {
  readonly own: string;
  readonly top: string;
}

export class HeatGroups {
  readonly #own: () => readonly GroupFolder[];
  #folders: readonly string[] = [];
  /** One of them is of version 2, where a process is in one group alone. */
  isUnified = false;

  /** @param own by its mount point, this process's own group in each hierarchy. */
  constructor(own: () => readonly GroupFolder[] = () => []) {
    this.#own = own;
  }

  /** @returns whether they are others than before. */
  set(said: readonly string[]): boolean {
    const folders = said.filter(folder => typeof folder === 'string' && isAbsolute(folder)).slice(0, mostFolders);
    if (folders.join('\n') === this.#folders.join('\n')) return false;
    this.#folders = folders;
    this.isUnified = folders.some(folder => existsSync(join(folder, 'cgroup.controllers')));
    return true;
  }

  /** The command that begins inside of them. */
  wrap(words: readonly string[]): readonly string[] {
    if (this.#folders.length === 0) return words;
    return [systemShell, '-c', joining, systemShell, ...this.#folders.map(procs), '--', ...words];
  }

  take(pids: readonly number[]): void {
    for (const folder of this.#folders) move(pids, folder);
  }

  /** Back to where this process is. */
  leave(pids: readonly number[]): void {
    const all = pids.length > 0 ? this.#own() : [];
    for (const folder of this.#folders) {
      const own = all.find(({ top }) => folder.startsWith(top + sep))?.own;
      if (own !== undefined && own !== folder) move(pids, own);
    }
  }

  /** What each of so many busy cores has of one: 1 all of it, 0 nothing, as all of them are frozen. */
  pace(cores: number): number {
    let pace = 1;
    for (const folder of this.#folders) {
      if (isFrozen(folder)) return 0;
      for (const quota of quotasOf(folder)) if (cores > 0) pace = Math.min(pace, quota / cores);
    }
    return pace;
  }
}

const procs = (folder: string): string => join(folder, 'cgroup.procs');

function move(pids: readonly number[], folder: string): void {
  for (const pid of pids) {
    try {
      writeFileSync(procs(folder), String(pid));
    } catch {
      // It has ended, or the group has.
    }
  }
}

function read(...path: readonly string[]): string | undefined {
  try {
    return readFileSync(join(...path), 'latin1');
  } catch {
    return undefined;
  }
}

/** Version 1 says THAWED, FREEZING or FROZEN; version 2 a line in cgroup.events. */
const isFrozen = (folder: string): boolean =>
  /^FR/.test(read(folder, 'freezer.state') ?? '') || /^frozen 1$/m.test(read(folder, 'cgroup.events') ?? '');

const mostDepth = 10;

/** Of the group and of those that it is in. */
function quotasOf(folder: string): number[] {
  const quotas: number[] = [];
  for (let [at, depth] = [folder, 0]; depth < mostDepth && existsSync(procs(at)); at = dirname(at), depth++) {
    const quota = quotaOf(at);
    if (quota !== undefined) quotas.push(quota);
  }
  return quotas;
}

/** Cores' time that the group may use; undefined: no bound. */
function quotaOf(folder: string): number | undefined {
  const [quota, period] = (
    read(folder, 'cpu.max')?.split(' ') ?? [read(folder, 'cpu.cfs_quota_us'), read(folder, 'cpu.cfs_period_us')]
  ).map(Number);
  // -1 in version 1, "max" in version 2.
  return quota !== undefined && period !== undefined && quota >= 0 && period > 0 ? quota / period : undefined;
}
