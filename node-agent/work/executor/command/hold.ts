/** One command that may be frozen: its processes stand still, and it starts none before it may run. */
import { isStopped, readProcess } from '../../../reconcile/services/processes.ts';
import type { Marks, RunnerParts } from '../runner.ts';

export interface HoldParts {
  readonly marks: Marks;
  readonly heat: RunnerParts['heat'];
}

export class Hold {
  readonly #parts: HoldParts;
  readonly #mark: string;
  #frozen = false;
  #later: (() => void) | undefined;
  /** It belongs to the groups of heat. */
  isHeat: boolean;

  constructor(parts: HoldParts, mark: string, isHeat: boolean) {
    this.#parts = parts;
    this.#mark = mark;
    this.isHeat = isHeat;
  }

  /** @param pid of its process, while that runs. */
  isStoppedByOthers(pid: number | undefined): boolean {
    const process = this.#frozen || pid === undefined ? undefined : readProcess(pid);
    return process !== undefined && isStopped(process);
  }

  freeze(on: boolean, pid: number | undefined): void {
    this.#frozen = on;
    if (pid !== undefined) this.#parts.marks[on ? 'freeze' : 'thaw'](this.#mark, pid);
    const later = this.#later;
    if (on || !later) return;
    this.#later = undefined;
    later();
  }

  /** @returns whether that is for when it may run. */
  later(start: () => void): boolean {
    if (this.#frozen) this.#later = start;
    return this.#frozen;
  }

  heat(on: boolean, pid: number | undefined): void {
    this.isHeat = on;
    if (pid !== undefined) this.#parts.heat[on ? 'take' : 'leave'](this.#parts.marks.members(this.#mark, pid));
  }

  /** It is to end: a group that somebody has frozen would keep it from that (version 1). */
  end(pid: number | undefined): void {
    this.#later = undefined;
    if (this.isHeat) this.heat(false, pid);
  }
}
