/**
 * Between plans: tells when the machine may no longer be what was seen. By events of folders within a second, and by a
 * round over all that is held every 30 s (a look at the inode each, no reading), where there are none.
 */
import { dirname, join } from 'node:path';
import type { Clock, Timer } from '../../../shared/clock.ts';
import type { FileItem } from '../../../shared/schemas/file.ts';
import { driftAt, Places, type Seen, targetsOf } from './look.ts';
import type { Target } from './target.ts';
import type { Facts } from './template.ts';
import { textDiff } from './text-diff.ts';
import { FileWatch } from './watch.ts';
import type { Workshop } from './workshop.ts';
import { longestShown } from './write.ts';

const roundMs = 30_000;

export class Rounds {
  readonly #shop: Workshop;
  readonly #clock: Clock;
  readonly #facts: () => Facts;
  readonly #ownFolder: string;
  readonly #hasEvents: boolean;
  readonly #again: () => void;
  readonly #watch: FileWatch;
  #suspects = new Set<string>();
  #seen: Seen | undefined;
  /** Path -> the drift that is known of. */
  #drifts = new Map<string, string>();
  #wanted: Readonly<Record<string, FileItem>> = {};
  #timer: Timer | undefined;
  /** Raised whenever what is being looked at is out of date. */
  #turn = 0;

  constructor(
    shop: Workshop,
    { clock, facts, data, hasEvents = true }: { clock: Clock; facts: () => Facts; data: string; hasEvents?: boolean },
    again: () => void,
  ) {
    this.#shop = shop;
    this.#clock = clock;
    this.#facts = facts;
    this.#ownFolder = data;
    this.#hasEvents = hasEvents;
    this.#again = again;
    this.#watch = new FileWatch(clock, paths => this.#heard(paths));
  }

  /** A look begins: nothing is told until it is over. */
  pause(): void {
    this.#turn++;
    this.#timer?.cancel();
    this.#seen = undefined;
  }

  /** Paths that are to be read at the next look. */
  suspects(): ReadonlySet<string> {
    const suspects = this.#suspects;
    this.#suspects = new Set();
    return suspects;
  }

  /** What was seen is what is compared with. */
  begin(seen: Seen, wanted: Readonly<Record<string, FileItem>>): void {
    this.#turn++;
    this.#seen = seen;
    this.#wanted = wanted;
    this.#drifts = new Map([...seen.drifts].map(([path, drift]) => [path, drift.seen]));
    this.made();
  }

  /** The path is as wanted now. */
  putRight(path: string): void {
    this.#drifts.delete(path);
  }

  /** Steps are done: what they made is watched, too. */
  made(): void {
    if (!this.#seen) return;
    if (this.#hasEvents) this.#watch.update(this.#folders());
    this.#timer?.cancel();
    this.#timer = this.#clock.after(roundMs, () => this.#round());
  }

  close(): void {
    this.pause();
    this.#watch.close();
  }

  /** How the file differs from inline content; undefined where that may not be said. */
  async diff(target: Target): Promise<string | undefined> {
    if (target.what !== 'file' || target.content === undefined) return undefined;
    const places = new Places(this.#shop);
    try {
      const at = await places.at(target.path, target.uid);
      const stat = at === undefined ? undefined : await this.#shop.host.lstat(at);
      if (at === undefined || !stat?.isFile() || stat.size > longestShown) return undefined;
      const found = await this.#shop.host.read(at, longestShown);
      const mode = target.mode & Number(stat.mode & 0o777n);
      return found && (await textDiff(Buffer.from(target.content), found, mode));
    } catch {
      return undefined;
    } finally {
      await places.close();
    }
  }

  #paths(): Set<string> {
    const paths = new Set(this.#shop.ledger.entries.keys());
    for (const { path } of this.#seen?.targets.values() ?? []) paths.add(path);
    return paths;
  }

  /** Folders to watch -> the names in them -> the path that is looked after. */
  #folders(): Map<string, Map<string, string>> {
    const folders = new Map<string, Map<string, string>>();
    const add = (path: string, key: string) => {
      const names = folders.get(dirname(path)) ?? new Map<string, string>();
      names.set(path.slice(dirname(path) === '/' ? 1 : dirname(path).length + 1), key);
      folders.set(dirname(path), names);
    };
    for (const path of this.#paths()) add(path, path);
    // Inner folders after all others: there may be more of them than can be watched.
    for (const [path, { what, seen }] of this.#shop.ledger.entries) {
      if (what !== 'folder') continue;
      for (const inner of this.#shop.manifests.known(seen)?.keys() ?? []) add(join(path, inner), path);
    }
    return folders;
  }

  #heard(paths: ReadonlySet<string>): void {
    if (this.#seen) void this.#check(paths, true).catch(() => {});
  }

  #round(): void {
    const next = () => {
      this.#timer = this.#clock.after(roundMs, () => this.#round());
    };
    void this.#check(new Set(this.#paths()), false).then(
      isAgain => {
        if (isAgain === false) next();
      },
      // Facts that cannot be read now may be in the next round.
      next,
    );
  }

  /** @returns whether a new look was asked for; undefined where another one is under way already. */
  async #check(paths: ReadonlySet<string>, isEvent: boolean): Promise<boolean | undefined> {
    const turn = this.#turn;
    const seen = this.#seen;
    if (!seen) return undefined;
    const isOther = (await this.#hasDrifted(paths, isEvent, seen)) || (!isEvent && (await this.#hasNewTargets(seen)));
    if (turn !== this.#turn) return undefined;
    if (isOther) {
      if (isEvent) for (const path of paths) this.#suspects.add(path);
      this.#again();
    }
    return isOther;
  }

  async #hasDrifted(paths: ReadonlySet<string>, isEvent: boolean, seen: Seen): Promise<boolean> {
    const { ledger } = this.#shop;
    const places = new Places(this.#shop);
    const wanted = new Set([...seen.targets.values()].map(({ path }) => path));
    try {
      for (const path of paths) {
        const entry = ledger.entries.get(path);
        if (!wanted.has(path)) continue;
        if (!entry) {
          // Nothing is held where nothing is to be; that is over when something is there.
          const at = await places.at(path, undefined);
          if (at !== undefined && !seen.there.has(path) && (await this.#shop.host.lstat(at))) return true;
          continue;
        }
        if (entry.doing) continue;
        const drift = await driftAt(this.#shop, path, entry, places, isEvent);
        if (drift?.seen !== this.#drifts.get(path)) return true;
      }
    } catch {
      // It cannot be looked at: the next look says why.
      return true;
    } finally {
      await places.close();
    }
    return false;
  }

  /** Facts, owners or local sources are other than they were. */
  async #hasNewTargets({ said }: Seen): Promise<boolean> {
    const now = await targetsOf(this.#wanted, this.#facts(), this.#shop.host.uid, this.#ownFolder);
    return now.said.size !== said.size || [...now.said].some(([name, text]) => said.get(name) !== text);
  }
}
