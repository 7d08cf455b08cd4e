/** The processes of a unit that this host knows: who they are, and how they are ended. */
import type { Cgroups } from './cgroup.ts';
import type { Containers } from './containers.ts';
import type { Limiting } from './limiting.ts';
import type { Ending, Live } from './live.ts';
import { findMembers, isShim } from './members.ts';
import type { ProcessStat } from './processes.ts';
import { stopContainer } from './stop-container.ts';
import { Stopping } from './stopping.ts';

export class UnitProcesses {
  readonly #cgroups: Cgroups;
  readonly #limiting: Limiting;
  readonly #containers: Containers;
  readonly #boot: string;

  constructor(cgroups: Cgroups, limiting: Limiting, containers: Containers, boot: string) {
    this.#cgroups = cgroups;
    this.#limiting = limiting;
    this.#containers = containers;
    this.#boot = boot;
  }

  members(live: Live, known: readonly ProcessStat[] = []): ProcessStat[] {
    return findMembers({
      unit: live.unit,
      ...(live.run && live.run.boot === this.#boot ? { run: live.run } : {}),
      ...(live.shimPid === undefined ? {} : { shimPid: live.shimPid }),
      grouped: this.#limiting.members(live),
      known,
    });
  }

  isShim(live: Live, process: ProcessStat): boolean {
    return process.pid === live.shimPid || (live.run !== undefined && isShim(process, live.run));
  }

  /** Everybody but the shim, at the moment of asking. */
  others(live: Live): () => ProcessStat[] {
    return () => this.members(live).filter(each => !this.isShim(live, each));
  }

  /** Begins to end them all; `done` once, with a sentence where somebody is left. */
  stop(live: Live, signal: string, graceMs: number, done: (error?: string) => void): Ending {
    const processes = {
      members: (known: readonly ProcessStat[]) => this.members(live, known),
      isShim: (process: ProcessStat) => this.isShim(live, process),
      certain: live.cgroup !== undefined,
      killAll: () => this.#cgroups.kill(live.cgroup),
    };
    const stop = (how: string, ms: number, over: (error?: string) => void) => new Stopping(processes, how, ms, over);
    return (live.image ? stopContainer(live, this.#containers, stop) : stop)(signal, graceMs, done);
  }
}
