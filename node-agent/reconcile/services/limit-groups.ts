/**
 * Groups that enforce limits. Only a unit with limits gets them: one in each version 1 hierarchy that it needs, and one
 * of version 2. A version 2 group hands out controllers only where it has no processes of its own, so the agent's own
 * group, in which it stands itself, mostly cannot: then it is the nearest one above that this agent may use, such as the
 * slice that its service is in.
 */
import { join, relative } from 'node:path';
import type { Limits } from '../../../shared/schemas/service.ts';
import type { GroupFiles } from './group-files.ts';
import { type Hierarchy, unitsFolder, unitsWeight } from './hierarchies.ts';
import {
  type Controller,
  controllers,
  type GroupLimit,
  groupLimits,
  oomFiles,
  oomKills,
  writesFor,
} from './limit-files.ts';
import { reason } from './unit-folder.ts';

/** Where a unit is limited. */
export interface Limited {
  /** Its version 2 group, which takes the place of the one that every unit has. */
  readonly group?: string;
  /** All that limit it, that one too. */
  readonly groups: string[];
  /** Which limits are not enforced, and why, in one sentence. */
  readonly note?: string;
}

interface Place {
  readonly version: 1 | 2;
  /** Groups of units are made in it. */
  readonly parent: string;
}

interface Write {
  readonly limit: GroupLimit;
  readonly path: string;
  readonly text: string;
  readonly optional?: true;
}

interface Plan {
  readonly limited: Limited;
  readonly writes: readonly Write[];
  readonly missing: Map<GroupLimit, string>;
}

const wanted = Object.values(controllers);

export class LimitGroups {
  readonly #hierarchies: readonly Hierarchy[];
  readonly #files: GroupFiles;
  readonly #root: boolean;
  readonly #places = new Map<Controller, Place | string>();
  /** Looked for once, when it is needed first: it takes writing to groups of the system. */
  #second: { parent: string; has: ReadonlySet<string> } | undefined | 'unknown' = 'unknown';

  constructor(hierarchies: readonly Hierarchy[], files: GroupFiles, root: boolean) {
    this.#hierarchies = hierarchies;
    this.#files = files;
    this.#root = root;
  }

  /** Makes the groups of a unit that is about to start. Whatever cannot be enforced is in the note. */
  make(unit: string, limits: Limits): Limited {
    const plan = this.#plan(unit, limits, {});
    for (const write of plan.writes) {
      try {
        this.#files.write(write.path, write.text);
      } catch (error) {
        this.#failed(plan, write, error);
      }
    }
    return told(plan, limits);
  }

  /**
   * Gives a running unit other limits. Taking memory away takes the kernel a while: off the event loop. `done` once.
   * @param before what it was limited to.
   */
  change(unit: string, limits: Limits, before: Limits, done: (limited: Limited) => void): void {
    const plan = this.#plan(unit, limits, before);
    const writes = [...plan.writes];
    const next = () => {
      const write = writes.shift();
      if (!write) done(told(plan, limits));
      else {
        this.#files.writeLater(write.path, write.text, error => {
          if (error) this.#failed(plan, write, error);
          next();
        });
      }
    };
    next();
  }

  /** How many processes of the unit were killed for want of memory. */
  killed(groups: readonly string[]): number {
    let sum = 0;
    for (const file of groups.flatMap(group => oomFiles.map(name => join(group, name)))) {
      try {
        sum += oomKills(this.#files.read(file));
      } catch {
        // Of the other version, or a group of another controller.
      }
    }
    return sum;
  }

  #plan(unit: string, limits: Limits, before: Limits): Plan {
    const missing = new Map<GroupLimit, string>();
    const groups = new Set<string>();
    const writes: Write[] = [];
    let group: string | undefined;
    for (const limit of groupLimits) {
      if (limits[limit] === undefined && before[limit] === undefined) continue;
      const place = this.place(controllers[limit]);
      if (typeof place === 'string') {
        missing.set(limit, place);
        continue;
      }
      const path = join(place.parent, unit);
      try {
        this.#files.makeFolder(path);
      } catch (error) {
        missing.set(limit, this.#why(error));
        continue;
      }
      if (place.version === 2) group = path;
      groups.add(path);
      for (const { file, ...write } of writesFor(place.version, limit, limits[limit])) {
        writes.push({ limit, path: join(path, file), ...write });
      }
    }
    return { limited: { ...(group === undefined ? {} : { group }), groups: [...groups] }, writes, missing };
  }

  #failed(plan: Plan, { limit, optional }: Write, error: unknown): void {
    if (optional) return;
    const busy = (error as NodeJS.ErrnoException).code === 'EBUSY';
    plan.missing.set(limit, busy ? 'it uses more already, so it holds from its next start on' : this.#why(error));
  }

  /** Where groups with this controller can be made; or why there is no such place. */
  place(controller: Controller): Place | string {
    const known = this.#places.get(controller);
    if (known !== undefined) return known;
    const place = this.#find(controller);
    this.#places.set(controller, place);
    return place;
  }

  /** A controller is in one hierarchy of version 1, or in version 2. */
  #find(controller: Controller): Place | string {
    const first = this.#hierarchies.find(
      ({ version, controllers }) => version === 1 && controllers.includes(controller),
    );
    if (first) {
      const parent = join(first.own, unitsFolder);
      try {
        this.#files.makeFolder(parent);
        return { version: 1, parent };
      } catch (error) {
        return this.#why(error);
      }
    }
    const unified = this.#hierarchies.find(({ version }) => version === 2);
    if (!unified || !this.#words(join(unified.top, 'cgroup.controllers')).has(controller)) {
      const hint = controller === 'memory' ? ' (on a Raspberry Pi: cgroup_enable=memory in cmdline.txt)' : '';
      return `this kernel has no ${controller} controller switched on${hint}`;
    }
    if (this.#second === 'unknown') this.#second = this.#findSecond(unified);
    if (this.#second?.has.has(controller)) return { version: 2, parent: this.#second.parent };
    return this.#root ? 'no control group here hands that on' : 'needs root, or control groups delegated to this user';
  }

  /** The nearest group from the agent's own upwards that can hand on what the machine has; else the one with the most. */
  #findSecond({ top, own }: Hierarchy): { parent: string; has: ReadonlySet<string> } | undefined {
    const all = wanted.filter(each => this.#words(join(top, 'cgroup.controllers')).has(each));
    // A group hands on what it was handed: from the top down, or the next start would find another place than this one.
    const levels = relative(top, own).split('/').slice(0, -1);
    for (const depth of levels.keys()) this.#handOn(join(top, ...levels.slice(0, depth)), all);
    let best: { parent: string; has: ReadonlySet<string> } | undefined;
    for (let at = own; ; at = join(at, '..')) {
      const found = this.#offer(at, all);
      if (found && found.has.size > (best?.has.size ?? 0)) best = found;
      if (best?.has.size === all.length || at === top || at === '/') break;
    }
    if (best?.has.has('cpu')) this.#try(join(best.parent, 'cpu.weight'), unitsWeight);
    return best;
  }

  #offer(at: string, all: readonly string[]): { parent: string; has: ReadonlySet<string> } | undefined {
    const parent = join(at, unitsFolder);
    const given = this.#handOn(at, all);
    if (!all.some(each => given.has(each))) return undefined;
    try {
      this.#files.makeFolder(parent);
    } catch {
      return undefined;
    }
    for (const each of all) if (given.has(each)) this.#try(join(parent, 'cgroup.subtree_control'), `+${each}`);
    const handed = this.#words(join(parent, 'cgroup.subtree_control'));
    return { parent, has: new Set(all.filter(each => handed.has(each))) };
  }

  /** @returns what it hands on to groups below, now. */
  #handOn(at: string, all: readonly string[]): ReadonlySet<string> {
    const path = join(at, 'cgroup.subtree_control');
    const before = this.#words(path);
    for (const each of all) if (!before.has(each)) this.#try(path, `+${each}`);
    return this.#words(path);
  }

  #words(path: string): ReadonlySet<string> {
    try {
      return new Set(this.#files.read(path).split(/\s+/).filter(Boolean));
    } catch {
      return new Set();
    }
  }

  #try(path: string, text: string): void {
    try {
      this.#files.write(path, text);
    } catch {
      // It shows in what is read afterwards.
    }
  }

  #why(error: unknown): string {
    return this.#root
      ? `no control group can be used: ${reason(error)}`
      : 'needs root, or control groups delegated to this user';
  }
}

/** Limits that are gone and could not be lifted are missing too, but nobody asks for them. */
function told({ limited, missing }: Plan, limits: Limits): Limited {
  const note = noteOf(new Map([...missing].filter(([limit]) => limits[limit] !== undefined)));
  return { ...limited, ...(note === undefined ? {} : { note }) };
}

/** `memory_mb, pids: not enforced, as …; cpu_pct: …`, at most 200 characters. */
export function noteOf(missing: ReadonlyMap<string, string>): string | undefined {
  if (missing.size === 0) return undefined;
  const reasons = [...new Set(missing.values())].map(why => {
    const names = [...missing].filter(([, each]) => each === why).map(([name]) => name);
    return `${names.join(', ')} not enforced: ${why}`;
  });
  const text = reasons.join('; ');
  return text.length <= 200 ? text : `${text.slice(0, 199)}…`;
}
