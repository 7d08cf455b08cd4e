/** Limits of units, from the real host's side: before the start, while they run, and in how they ended. */
import type { Limits, Service } from '../../../shared/schemas/service.ts';
import type { UnitExit } from '../host.ts';
import type { Cgroups } from './cgroup.ts';
import { groupLimits } from './limit-files.ts';
import type { Limited } from './limit-groups.ts';
import { noteOf } from './limit-groups.ts';
import { type Live, outputLimitOf } from './live.ts';
import { lowerPriority } from './priority.ts';
import type { ProcessStat } from './processes.ts';
import { readProcess } from './processes.ts';
import type { StartedAt, StoredUnit } from './unit-folder.ts';

/** Only what a group enforces; a container's are its engine's business. */
const grouped = ({ limits = {}, image }: Service): Limits =>
  image === undefined
    ? Object.fromEntries(groupLimits.flatMap(key => (limits[key] === undefined ? [] : [[key, limits[key]]])))
    : {};

const isEmpty = (limits: Limits): boolean => Object.keys(limits).length === 0;

export class Limiting {
  readonly #cgroups: Cgroups;

  constructor(cgroups: Cgroups) {
    this.#cgroups = cgroups;
  }

  /** Makes the groups of a unit that is about to start, where it has limits. */
  begin(live: Live, spec: Service): Omit<StartedAt, 'started_ms' | 'boot'> {
    live.limits = grouped(spec);
    if (!isEmpty(live.limits)) this.#take(live, this.#cgroups.limits.make(live.unit, live.limits));
    return placeOf(live);
  }

  /** Takes up what an earlier agent made. */
  found(live: Live, { spec, groups, note }: StoredUnit): void {
    live.limits = grouped(spec);
    live.groups = groups ?? [];
    live.note = note;
  }

  /** Whether the kernel has taken a unit's main process into its groups is known once it runs. */
  check(live: Live, pid: number): void {
    if (live.groups.length === 0 || live.groups.every(group => this.#cgroups.members(group).has(pid))) return;
    if (readProcess(pid))
      live.note = noteOf(
        new Map(Object.keys(live.limits).map(name => [name, 'the kernel did not take it into its group'])),
      );
  }

  /** @param members everybody of the unit but its shim. @param done once, with what to keep of it. */
  adjust(
    live: Live,
    spec: Service,
    members: () => readonly ProcessStat[],
    done: (place: ReturnType<typeof placeOf>) => void,
  ): void {
    live.outputLimit = outputLimitOf(spec);
    if (live.output) live.output.limit = live.outputLimit;
    const [before, limits] = [live.limits, grouped(spec)];
    live.limits = limits;
    live.nice = spec.limits?.nice ?? 0;
    const stiff = members().filter(({ pid }) => !lowerPriority(pid, live.nice) && readProcess(pid));
    const nice = stiff.length === 0 ? undefined : 'nice not enforced: lowering it needs root, or the next start';
    const over = () => {
      live.note = [live.note, nice].filter(Boolean).join('; ').slice(0, 200) || undefined;
      done(placeOf(live));
    };
    if (isEmpty(limits) && isEmpty(before)) {
      live.note = undefined;
      over();
      return;
    }
    this.#cgroups.limits.change(live.unit, limits, before, limited => {
      const old = live.cgroup;
      this.#take(live, limited);
      const into = [...live.groups];
      const pids = members().map(({ pid }) => pid);
      const next = () => {
        const group = into.shift();
        if (group !== undefined) this.#cgroups.hold(group, pids, next);
        else {
          if (old !== live.cgroup) this.#cgroups.remove(old);
          over();
        }
      };
      next();
    });
  }

  /** Who is in one of its groups. */
  members(live: Live): ReadonlySet<number> {
    return new Set([live.cgroup, ...live.groups].flatMap(group => [...this.#cgroups.members(group)]));
  }

  /** Its end, with what the kernel knows of it. */
  told(live: Live, exit: UnitExit): UnitExit {
    const { memory_mb } = live.limits;
    if (memory_mb === undefined || exit.signal !== 'KILL' || live.stopping) return exit;
    if (this.#cgroups.limits.killed(live.groups) === 0) return exit;
    return { ...exit, why: `killed: it used more than its ${memory_mb} MB` };
  }

  remove(live: Live): void {
    for (const group of new Set([live.cgroup, ...live.groups])) this.#cgroups.remove(group);
  }

  #take(live: Live, { group, groups, note }: Limited): void {
    if (group !== undefined) live.cgroup = group;
    live.groups = [...new Set([...live.groups, ...groups])];
    live.note = note;
  }
}

const placeOf = ({ cgroup, groups, note }: Live) => ({
  ...(cgroup === undefined ? {} : { cgroup }),
  ...(groups.length === 0 ? {} : { groups }),
  ...(note === undefined ? {} : { note }),
});
