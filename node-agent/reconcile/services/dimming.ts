/** Services that run only as far as something else allows (the filler of a room): frozen, or with a quota, for now. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Limits } from '../../../shared/schemas/service.ts';
import type { Dimmed } from '../host.ts';
import type { Cgroups } from './cgroup.ts';
import type { Live } from './live.ts';
import { isStopped, type ProcessStat, processMs } from './processes.ts';

/** What a limit of the schema can be, percent of one core. */
const leastPct = 1;
/** Where there is a group to freeze, everybody in it is looked at so often. */
const searchEvery = 5;

export class Dimming {
  readonly #cgroups: Cgroups;

  constructor(cgroups: Cgroups) {
    this.#cgroups = cgroups;
  }

  /** @param members everybody of the unit but its shim. */
  dim(live: Live, cores: number | undefined, members: () => readonly ProcessStat[]): Dimmed {
    if (live.ended || live.stopping) return {};
    const before = live.dimmed;
    live.dimmed = cores;
    const frozen = cores === 0;
    const freezing = this.#freezing(live);
    // Also where it is so by what was done last: the watchdog of a lease freezes too.
    if (freezing) write(freezing.path, frozen ? '1' : '0');
    let all: readonly ProcessStat[] | undefined;
    if (!freezing || (!frozen && (before === 0 || live.timesDimmed % searchEvery === 0))) {
      all = members();
      // Who was stopped by a signal (before there was a group, by the watchdog, which may be late) goes on by one.
      const others = frozen ? all : all.filter(isStopped);
      for (const { pid } of others) signal(pid, frozen ? 'SIGSTOP' : 'SIGCONT');
    }
    live.timesDimmed++;
    if (!frozen) this.#limit(live, cores, members);
    const usedMs = this.#usedMs(live, freezing === undefined ? () => (all ??= members()) : undefined);
    return {
      ...(usedMs === undefined ? {} : { usedMs }),
      ...(freezing ? { freezing: { ...freezing, text: '1' } } : { processes: all ?? members() }),
    };
  }

  /** Nobody who is frozen hears that he is to end. */
  thaw(live: Live, members: () => readonly ProcessStat[]): void {
    const freezing = this.#freezing(live);
    if (freezing) write(freezing.path, '0');
    else if (live.dimmed === 0) for (const { pid } of members()) signal(pid, 'SIGCONT');
    live.dimmed = undefined;
  }

  #limit(live: Live, cores: number | undefined, members: () => readonly ProcessStat[]): void {
    const own = live.limits.cpu_pct;
    const pct = cores === undefined ? own : Math.max(leastPct, Math.min(own ?? Number.POSITIVE_INFINITY, cores * 100));
    if (pct === live.dimmedPct || (pct === own && live.dimmedPct === undefined)) return;
    const before: Limits = { cpu_pct: live.dimmedPct ?? own };
    live.dimmedPct = cores === undefined ? undefined : pct;
    this.#cgroups.limits.change(live.unit, { cpu_pct: pct }, before, ({ group, groups }) => {
      const fresh = groups.filter(each => !live.groups.includes(each));
      if (group !== undefined && group !== live.cgroup) live.cgroup = group;
      live.groups = [...live.groups, ...fresh];
      if (fresh.length === 0) return;
      const pids = members().map(({ pid }) => pid);
      for (const each of fresh) this.#cgroups.hold(each, pids, () => {});
    });
  }

  #freezing({ cgroup }: Live): { readonly path: string; readonly text: string } | undefined {
    if (cgroup === undefined) return undefined;
    const path = join(cgroup, 'cgroup.freeze');
    return read(path) === undefined ? undefined : { path, text: '1' };
  }

  #usedMs({ cgroup }: Live, members: (() => readonly ProcessStat[]) | undefined): number | undefined {
    const text = cgroup === undefined ? undefined : read(join(cgroup, 'cpu.stat'));
    const used = /^usage_usec (\d+)$/m.exec(text ?? '')?.[1];
    if (used !== undefined) return Number(used) / 1000;
    return members?.().reduce((sum, { pid }) => sum + (processMs(pid) ?? 0), 0);
  }
}

function signal(pid: number, name: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended, or is another user's.
  }
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'r+' });
  } catch {
    // Its group is gone with it.
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
