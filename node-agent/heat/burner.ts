/** The built-in burner: as many shells as there are cores to keep busy, which do nothing else. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { processMs } from '../reconcile/services/processes.ts';
import { replaceFile } from '../replace-file.ts';
import { type Beside, type BesideParts, kill, startBeside } from './beside.ts';
import { firstPace, type Pace, pace } from './pace.ts';
import { burnerScript } from './scripts.ts';

export interface BurnerParts extends BesideParts {
  /** This start of the machine, as the lease names it. */
  readonly boot: string;
  /** Groups that it is in before it burns. */
  readonly procs: readonly string[];
  /** Its group has a quota: it need not dim itself. */
  readonly quota: boolean;
  now(): number;
}

/** Under a quota: between two looks at the lease, some 20 ms of a fast core. */
const underQuota: Pace = { loops: 20_000, pause: 0 };
const againMs = 2000;
const nice = 19;

export class Burner {
  readonly #parts: BurnerParts;
  readonly #running = new Map<number, Beside>();
  #level = '';
  #pace: Pace | undefined;
  /** What ended ones used: the sum never falls. */
  #spentMs = 0;
  readonly #usedMs = new Map<number, number>();
  #startedAt = Number.NEGATIVE_INFINITY;
  #ending = false;
  error = '';

  constructor(parts: BurnerParts) {
    this.#parts = parts;
  }

  get running(): readonly Beside[] {
    return [...this.#running.values()];
  }

  /** So many cores, by so many processes at most. @param used cores that it used since the last look, once for each look. */
  set(cores: number, most: number, used: number | undefined): void {
    const count = cores <= 0 ? 0 : Math.min(most, Math.max(1, this.#parts.quota ? most : Math.ceil(cores / 0.97)));
    if (count === 0) {
      this.stop();
      return;
    }
    this.#ending = false;
    this.#pace = this.#paced(cores / count, used);
    try {
      const level = `${this.#pace.loops} ${this.#pace.pause}\n`;
      if (level !== this.#level) replaceFile(this.#parts.folder, 'level', level, false);
      this.#level = level;
      const now = this.#parts.now();
      if (this.#running.size < count && now - this.#startedAt >= againMs) {
        this.#startedAt = now;
        while (this.#running.size < count) this.#start();
      }
    } catch (error) {
      this.error = `the burner cannot be started: ${(error as Error).message}`;
    }
    for (const { pid } of [...this.#running.values()].slice(count)) this.#end(pid);
  }

  #paced(share: number, used: number | undefined): Pace {
    if (this.#parts.quota) return underQuota;
    if (!this.#pace || this.#running.size === 0) return firstPace(share);
    return used === undefined ? this.#pace : pace(this.#pace, share, used / this.#running.size);
  }

  stop(): void {
    this.#ending = true;
    this.#startedAt = Number.NEGATIVE_INFINITY;
    if (this.#level !== '') rmSync(join(this.#parts.folder, 'level'), { force: true });
    this.#level = '';
    for (const pid of [...this.#running.keys()]) this.#end(pid);
  }

  /** Processor time of all of them since the first, ms; for where no group counts it. */
  usedMs(): number {
    for (const pid of this.#running.keys()) this.#usedMs.set(pid, processMs(pid) ?? this.#usedMs.get(pid) ?? 0);
    return this.#spentMs + [...this.#usedMs.values()].reduce((sum, each) => sum + each, 0);
  }

  #end(pid: number): void {
    const one = this.#running.get(pid);
    if (!one) return;
    this.#usedMs.set(pid, processMs(pid) ?? this.#usedMs.get(pid) ?? 0);
    kill(one);
    this.#gone(pid);
  }

  #gone(pid: number): void {
    if (!this.#running.delete(pid)) return;
    this.#spentMs += this.#usedMs.get(pid) ?? 0;
    this.#usedMs.delete(pid);
  }

  #start(): void {
    const { boot, procs, now } = this.#parts;
    const at = now();
    let pid: number | undefined;
    const one = startBeside(this.#parts, { name: 'burner', text: burnerScript, args: [boot, ...procs], nice }, how => {
      const early = pid === undefined || (this.#running.has(pid) && now() - at < againMs);
      if (early && !this.#ending && how !== '0') this.error = `the burner ended at once (${how})`;
      if (pid !== undefined) this.#gone(pid);
    });
    if (!one) return;
    pid = one.pid;
    this.#running.set(pid, one);
    this.error = '';
  }
}
