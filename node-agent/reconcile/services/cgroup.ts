/**
 * A cgroup v2 per unit, where the agent may make one (root, or delegated by systemd; pure or beside v1): it holds every
 * descendant, however it disguises itself, and can end all at once. Moving a process into one takes 10 ms and more in
 * the kernel (cgroup_threadgroup_rwsem waits for an RCU grace period), so it is done off the event loop and after the
 * start; what was forked before is found by session, parent and environment.
 */
import { mkdir, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFile, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { realGroupFiles } from './group-files.ts';
import { type Hierarchy, hierarchiesOf, unitsFolder, unitsWeight } from './hierarchies.ts';
import { LimitGroups } from './limit-groups.ts';
import { childrenOf } from './processes.ts';

const isRoot = process.getuid?.() === 0;

export class Cgroups {
  readonly #parent: string | undefined;
  readonly limits: LimitGroups;

  /**
   * @param parent the folder in which the units' groups are made; undefined: none are.
   * @param limits makes those that enforce limits; without it nothing enforces any.
   */
  constructor(parent: string | undefined, limits = new LimitGroups([], realGroupFiles, isRoot)) {
    this.#parent = parent;
    this.limits = limits;
  }

  /** Groups below the agent's own, where it may make some. */
  static find(): Cgroups {
    const hierarchies = mounted();
    const unified = hierarchies.find(({ version }) => version === 2);
    return new Cgroups(unified && makeParent(unified.own), new LimitGroups(hierarchies, realGroupFiles, isRoot));
  }

  /** Where the unit's group will be. */
  pathFor(unit: string): string | undefined {
    return this.#parent && join(this.#parent, unit);
  }

  /**
   * Makes the group and moves a process and its descendants into it, one after the other. Failing changes nothing. The
   * shim stays outside: it must outlive `kill` to tell how its service ended. `done` comes when it is over.
   */
  hold(path: string, main: number | readonly number[], done: () => void): void {
    const waiting = typeof main === 'number' ? [main] : [...main];
    const next = () => {
      const pid = waiting.shift();
      if (pid === undefined) done();
      else {
        writeFile(join(path, 'cgroup.procs'), String(pid), error => {
          // Its new children are born in the group; those it had are not.
          if (!error) waiting.push(...childrenOf(pid));
          next();
        });
      }
    };
    mkdir(path, { mode: 0o755 }, next);
  }

  /** This process itself, before it has children: these may belong elsewhere. Failing changes nothing. */
  enter(path: string): void {
    try {
      mkdirSync(path, { recursive: true, mode: 0o755 });
      writeFileSync(join(path, 'cgroup.procs'), String(process.pid));
    } catch {
      // Its children are found by their marks all the same.
    }
  }

  /** Who is in the group, or in one that the service made below it. */
  members(path: string | undefined): ReadonlySet<number> {
    const pids = new Set<number>();
    for (const group of groupsFrom(path)) {
      try {
        for (const pid of readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n')) if (pid) pids.add(Number(pid));
      } catch {
        // A group of threads: its processes are listed above it.
      }
    }
    return pids;
  }

  /** KILLs everybody in the group (Linux 5.14). */
  kill(path: string | undefined): void {
    if (path === undefined) return;
    try {
      writeFileSync(join(path, 'cgroup.kill'), '1');
    } catch {}
  }

  remove(path: string | undefined): void {
    for (const group of groupsFrom(path).reverse()) {
      try {
        rmdirSync(group);
      } catch {}
    }
  }
}

/** Groups looked at below one unit's: a service that makes more than these is ended by `kill` all the same. */
const mostGroups = 1000;

/** The group and those below it, each before its own. */
function groupsFrom(path: string | undefined): string[] {
  const groups = path === undefined ? [] : [path];
  for (let index = 0; index < groups.length && groups.length < mostGroups; index++) {
    const group = groups[index] ?? '';
    try {
      for (const entry of readdirSync(group, { withFileTypes: true })) {
        if (entry.isDirectory()) groups.push(join(group, entry.name));
      }
    } catch {}
  }
  return groups;
}

/** Hierarchies of this machine, with this process's own group in each. */
export function mounted(): readonly Hierarchy[] {
  try {
    return hierarchiesOf(readFileSync('/proc/self/mountinfo', 'utf8'), readFileSync('/proc/self/cgroup', 'utf8'));
  } catch {
    return [];
  }
}

/** The agent's own group's child for units, made if it can be. */
function makeParent(own: string): string | undefined {
  const parent = join(own, unitsFolder);
  try {
    mkdirSync(parent, { recursive: true, mode: 0o755 });
  } catch {
    return undefined;
  }
  try {
    writeFileSync(join(own, 'cgroup.subtree_control'), '+cpu');
  } catch {
    // No such controller here, or the group has processes of its own: the nice value has to do.
  }
  try {
    writeFileSync(join(parent, 'cpu.weight'), unitsWeight);
  } catch {}
  return parent;
}
