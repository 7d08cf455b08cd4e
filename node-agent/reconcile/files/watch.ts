/**
 * Tells when files may have been changed: from events of the folders they are in, where the system has them, gathered for
 * a moment. It only ever says "look at these": whether something changed is for whoever looks.
 */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename } from 'node:path';
import type { Clock, Timer } from '../../../shared/clock.ts';

/** Folders that are watched at most; the others are looked at in rounds only. */
const mostFolders = 256;
const gatherMs = 200;

interface Watched {
  readonly watcher: FSWatcher;
  /** The folder that is watched, whatever stands at its path now. */
  readonly ino: bigint;
  names: ReadonlyMap<string, string>;
}

export class FileWatch {
  readonly #clock: Clock;
  readonly #tell: (keys: ReadonlySet<string>) => void;
  readonly #folders = new Map<string, Watched>();
  #gathered = new Set<string>();
  #timer: Timer | undefined;

  /** @param tell with the keys of what to look at. */
  constructor(clock: Clock, tell: (keys: ReadonlySet<string>) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** @param folders path of each folder -> names in it that matter, and the key of each. */
  update(folders: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
    const wanted = [...folders].slice(0, mostFolders);
    const paths = new Set(wanted.map(([path]) => path));
    for (const [path, { ino }] of this.#folders) if (!paths.has(path) || inoOf(path) !== ino) this.#drop(path);
    for (const [path, names] of wanted) {
      const known = this.#folders.get(path);
      if (known) known.names = names;
      else this.#add(path, names);
    }
  }

  get count(): number {
    return this.#folders.size;
  }

  close(): void {
    this.#timer?.cancel();
    for (const path of [...this.#folders.keys()]) this.#drop(path);
  }

  #add(path: string, names: ReadonlyMap<string, string>): void {
    try {
      const ino = inoOf(path);
      if (ino === undefined) return;
      const watcher = watch(path, { persistent: false });
      const watched: Watched = { watcher, ino, names };
      watcher.on('change', (_, name) => this.#heard(path, watched, typeof name === 'string' ? name : undefined));
      // Too many watches, or the folder is gone: the rounds see it all the same.
      watcher.on('error', () => this.#drop(path));
      this.#folders.set(path, watched);
    } catch {}
  }

  #heard(path: string, { names }: Watched, name: string | undefined): void {
    const key = name === undefined ? undefined : names.get(name);
    // Without a name, or with the folder's own: something happened to all of it.
    if (key !== undefined) this.#gathered.add(key);
    else if (name === undefined || name === basename(path)) for (const each of names.values()) this.#gathered.add(each);
    if (this.#gathered.size === 0 || this.#timer) return;
    this.#timer = this.#clock.after(gatherMs, () => {
      this.#timer = undefined;
      const keys = this.#gathered;
      this.#gathered = new Set();
      this.#tell(keys);
    });
  }

  #drop(path: string): void {
    this.#folders.get(path)?.watcher.close();
    this.#folders.delete(path);
  }
}

function inoOf(path: string): bigint | undefined {
  try {
    return statSync(path, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}
