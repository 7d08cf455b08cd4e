/**
 * The control groups of heat: one for all of it, whose quota is the dimmer, and in it one for tasks of class `heat`, the
 * filler and the burner each. In version 1 in each hierarchy that is needed (`cpu`, and for want of version 2 `cpuacct`
 * and `freezer`), in version 2 where controllers are handed on; a version 2 hierarchy without controllers still freezes
 * and counts.
 */
import { rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { GroupFiles } from '../reconcile/services/group-files.ts';
import { type Hierarchy, unitsFolder } from '../reconcile/services/hierarchies.ts';
import { LimitGroups } from '../reconcile/services/limit-groups.ts';

export const heatClasses = ['tasks', 'filler', 'burner'] as const;
export type HeatClass = (typeof heatClasses)[number];
/** Names of groups. Of version 1 every group has a file called `tasks`, so that none in it can be (cgroup-v1/cgroups.rst). */
const named: Readonly<Record<HeatClass | '', string>> = { tasks: 'work', filler: 'filler', burner: 'burner', '': '' };

type Ability = 'quota' | 'usage' | 'freeze';

interface Place {
  readonly version: 1 | 2;
  /** The group of all heat. */
  readonly folder: string;
  readonly can: ReadonlySet<Ability>;
}

export interface Quotas {
  /** Cores: of all together, of filler and burner. */
  readonly total: number;
  readonly filler: number;
  readonly burner: number;
}

/** Small, even shares of time (scheduler/sched-bwc.rst; the default of both versions). */
const periodUs = 100_000;
/** The kernel takes no less. */
const leastUs = 1000;
/** Beside everything else on the machine; and of each other. */
const ownWeight = 5;
const weights: Readonly<Record<HeatClass, number>> = { tasks: 100, filler: 10, burner: 1 };
/** 1024 shares of version 1 are a weight of 100; 2 are the fewest. */
const shares = (weight: number): string => String(Math.max(2, Math.round((weight * 1024) / 100)));

export class HeatGroups {
  readonly #places: readonly Place[];
  readonly #files: GroupFiles;
  /** Path -> text, as written last. */
  readonly #written = new Map<string, string>();
  #total = 0;
  #throttling = { periods: 0, throttled: 0 };

  constructor(places: readonly Place[], files: GroupFiles) {
    this.#places = places;
    this.#files = files;
  }

  /**
   * Makes the groups, as far as this agent may.
   * @param name of the group: no other agent's on this machine.
   */
  static make(hierarchies: readonly Hierarchy[], files: GroupFiles, root: boolean, name: string): HeatGroups {
    const places: Place[] = [];
    for (const place of placesOf(hierarchies, files, root, name)) {
      const missing = [...place.can].filter(ability => !places.some(({ can }) => can.has(ability)));
      if (missing.length > 0) places.push(...made({ ...place, can: new Set(missing) }, files));
    }
    return new HeatGroups(places, files);
  }

  get quota(): boolean {
    return this.#can('quota');
  }

  /** Whether its own members are counted. */
  get usage(): boolean {
    return this.#can('usage');
  }

  get freezes(): boolean {
    return this.#can('freeze');
  }

  folders(of: HeatClass): readonly string[] {
    return this.#places.map(({ folder }) => join(folder, named[of]));
  }

  /** Where its members are counted and frozen: the group in version 2, where there is one. */
  second(of: HeatClass): string | undefined {
    const place = this.#places.find(({ version }) => version === 2);
    return place && join(place.folder, named[of]);
  }

  /** Whoever writes 0 into them is in the class. */
  procs(of: HeatClass): readonly string[] {
    return this.folders(of).map(folder => join(folder, 'cgroup.procs'));
  }

  /** Throws what the kernel says. */
  limit({ total, filler, burner }: Quotas): void {
    const place = this.#places.find(({ can }) => can.has('quota'));
    if (!place) return;
    const all = () => this.#quota(place, '', total);
    // A group of version 1 may not have more than the one it is in.
    if (total >= this.#total) all();
    this.#quota(place, 'filler', Math.min(filler, total));
    this.#quota(place, 'burner', Math.min(burner, total));
    if (total < this.#total) all();
    this.#total = total;
  }

  /** @param again even where it is so by what was written last: somebody else (the watchdog) may have written since. */
  freeze(of: HeatClass, yes: boolean, again = false): void {
    const line = this.#freezing(of, yes);
    if (line) this.#write(line.path, line.text, again);
  }

  /** ms of processor time that all members have used so far; undefined where nobody counts. */
  usedMs(of: HeatClass): number | undefined {
    const place = this.#places.find(({ can }) => can.has('usage'));
    if (!place) return undefined;
    const folder = join(place.folder, named[of]);
    const text = this.#read(join(folder, place.version === 2 ? 'cpu.stat' : 'cpuacct.usage'));
    const used = place.version === 2 ? Number(/^usage_usec (\d+)$/m.exec(text)?.[1]) / 1000 : Number(text) / 1e6;
    return Number.isFinite(used) && text !== '' ? used : undefined;
  }

  /** Whether the whole group had to wait for its next period in a good part of those since the last look. */
  throttled(): boolean {
    const place = this.#places.find(({ can }) => can.has('quota'));
    const text = place ? this.#read(join(place.folder, 'cpu.stat')) : '';
    const periods = Number(/^nr_periods (\d+)$/m.exec(text)?.[1] ?? 0);
    const throttled = Number(/^nr_throttled (\d+)$/m.exec(text)?.[1] ?? 0);
    const since = { periods: periods - this.#throttling.periods, throttled: throttled - this.#throttling.throttled };
    this.#throttling = { periods, throttled };
    return since.periods > 0 && since.throttled / since.periods > 0.5;
  }

  /** What the watchdog does at the end of a lease. */
  held(): readonly string[] {
    const lines = (['tasks', 'filler'] as const).flatMap(of => {
      const freezing = this.#freezing(of, true);
      return freezing ? [`write ${freezing.text} ${freezing.path}`] : [];
    });
    return [
      ...lines,
      ...this.procs('burner')
        .slice(0, 1)
        .map(path => `kill - ${path}`),
    ];
  }

  /** As far as they are empty. False: some are not. */
  remove(): boolean {
    let all = true;
    for (const { folder } of this.#places) {
      for (const of of [...heatClasses, ''] as const) {
        try {
          rmdirSync(join(folder, named[of]));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOENT') all = false;
        }
      }
    }
    this.#written.clear();
    return all;
  }

  #can(ability: Ability): boolean {
    return this.#places.some(({ can }) => can.has(ability));
  }

  #freezing(of: HeatClass, yes: boolean): { readonly path: string; readonly text: string } | undefined {
    const place = this.#places.find(({ can }) => can.has('freeze'));
    if (!place) return undefined;
    const folder = join(place.folder, named[of]);
    return place.version === 2
      ? { path: join(folder, 'cgroup.freeze'), text: yes ? '1' : '0' }
      : { path: join(folder, 'freezer.state'), text: yes ? 'FROZEN' : 'THAWED' };
  }

  #quota({ version, folder }: Place, of: HeatClass | '', cores: number): void {
    const us = Math.max(leastUs, Math.round(cores * periodUs));
    if (version === 2) this.#write(join(folder, named[of], 'cpu.max'), `${us} ${periodUs}`);
    else this.#write(join(folder, named[of], 'cpu.cfs_quota_us'), `${us}`);
  }

  #write(path: string, text: string, again = false): void {
    if (!again && this.#written.get(path) === text) return;
    this.#written.delete(path);
    try {
      this.#files.write(path, text);
    } catch (error) {
      // More than a group above has: then that is what holds.
      if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
    }
    this.#written.set(path, text);
  }

  #read(path: string): string {
    try {
      return this.#files.read(path);
    } catch {
      return '';
    }
  }
}

/** In the order in which they are tried; what one gives is not looked for in the next. */
function placesOf(all: readonly Hierarchy[], files: GroupFiles, root: boolean, name: string): Place[] {
  const first = (controller: string) =>
    all.find(({ version, controllers }) => version === 1 && controllers.includes(controller));
  const ofFirst = (controller: string, ...can: readonly Ability[]): Place[] => {
    const hierarchy = first(controller);
    return hierarchy ? [{ version: 1, folder: join(hierarchy.own, name), can: new Set(can) }] : [];
  };
  const unified = all.find(({ version }) => version === 2);
  const handed = unified && !first('cpu') ? new LimitGroups(all, files, root).place('cpu') : undefined;
  const parent = typeof handed === 'object' ? handed.parent : unified && join(unified.own, unitsFolder);
  return [
    ...(parent === undefined
      ? []
      : [{ version: 2 as const, folder: join(parent, name), can: new Set<Ability>(['quota', 'usage', 'freeze']) }]),
    ...ofFirst('cpu', 'quota', 'usage'),
    ...ofFirst('cpuacct', 'usage'),
    ...ofFirst('freezer', 'freeze'),
  ];
}

const proves: Readonly<Record<Ability, Readonly<Record<1 | 2, string>>>> = {
  quota: { 1: 'cpu.cfs_quota_us', 2: 'cpu.max' },
  usage: { 1: 'cpuacct.usage', 2: 'cpu.stat' },
  freeze: { 1: 'freezer.state', 2: 'cgroup.freeze' },
};

/** With what the kernel really has there; none where it may not be made. */
function made(place: Place, files: GroupFiles): Place[] {
  const { version, folder } = place;
  const tried = (path: string, text: string) => {
    try {
      files.write(join(folder, path), text);
    } catch {
      // This kernel, or this group, has no such thing.
    }
  };
  try {
    if (version === 2) files.makeFolder(join(folder, '..'));
    files.makeFolder(folder);
    if (version === 2 && place.can.has('quota')) tried('cgroup.subtree_control', '+cpu');
    for (const of of heatClasses) files.makeFolder(join(folder, named[of]));
    // Whether anybody may be put there at all.
    files.read(join(folder, 'burner', 'cgroup.procs'));
  } catch {
    return [];
  }
  if (place.can.has('quota')) {
    const weigh = (path: string, weight: number) =>
      version === 2 ? tried(join(path, 'cpu.weight'), `${weight}`) : tried(join(path, 'cpu.shares'), shares(weight));
    weigh('', ownWeight);
    for (const of of heatClasses) weigh(named[of], weights[of]);
    if (version === 1)
      for (const of of ['', ...heatClasses] as const) tried(join(named[of], 'cpu.cfs_period_us'), `${periodUs}`);
  }
  const has = (ability: Ability) => {
    try {
      files.read(join(folder, 'burner', proves[ability][version]));
      return true;
    } catch {
      return false;
    }
  };
  const can = new Set([...place.can].filter(has));
  if (can.size > 0) return [{ version, folder, can }];
  new HeatGroups([place], files).remove();
  return [];
}
