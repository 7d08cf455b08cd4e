/** The watchdog's process: one at a time, found again by the next agent. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseStat } from '../reconcile/services/processes.ts';
import { replaceFile } from '../replace-file.ts';
import { type Beside, type BesideParts, kill, lives, startBeside } from './beside.ts';
import { watchdogScript } from './scripts.ts';

export interface WatchdogParts extends BesideParts {
  readonly boot: string;
}

/** It ends by itself no sooner, and with status 0; who does otherwise, and so often in a row, cannot run here. */
const earlyMs = 2000;
const mostEarly = 3;

export class Watchdog {
  readonly #parts: WatchdogParts;
  #one: Beside | undefined;
  #held = '';
  #startedAt = Number.NEGATIVE_INFINITY;
  #early = 0;
  #ended = '';

  constructor(parts: WatchdogParts) {
    this.#parts = parts;
  }

  /** One runs when this returns; where there was none, one that was just started. Throws with one sentence. */
  ensure(): void {
    if (!this.#one || !lives(this.#one)) this.#one = this.#found() ?? this.#begin();
    if (!this.#one) throw new Error('the watchdog of heat cannot be started: no heat without it');
    // Who comes after some that could not run has to show first that it can: a later order, or look, finds out.
    if (this.#early >= mostEarly && performance.now() - this.#startedAt < earlyMs)
      throw new Error(`the watchdog of heat ends at once (${this.#ended}): no heat without it`);
  }

  #begin(): Beside | undefined {
    const at = performance.now();
    this.#startedAt = at;
    const args = [this.#parts.boot];
    // As important as the agent: it has to run where all cores burn.
    return startBeside(this.#parts, { name: 'watchdog', text: watchdogScript, args, nice: 0 }, how => {
      this.#ended = how;
      const failed = /^\d+$/.test(how) ? how !== '0' : performance.now() - at < earlyMs;
      this.#early = failed ? this.#early + 1 : 0;
    });
  }

  /** What it ends, a line each as scripts.ts says. Throws what the file system throws. */
  hold(lines: readonly string[]): void {
    const text = [`of ${this.#parts.boot}`, ...lines].map(line => `${line}\n`).join('');
    if (text === this.#held) return;
    replaceFile(this.#parts.folder, 'held', text, false);
    this.#held = text;
  }

  /** What an earlier agent had it hold, since this start of the machine: numbers and start times come again in the next. */
  heldBefore(): readonly string[] {
    try {
      const [of, ...lines] = readFileSync(join(this.#parts.folder, 'held'), 'utf8').split('\n').filter(Boolean);
      return of === `of ${this.#parts.boot}` ? lines : [];
    } catch {
      return [];
    }
  }

  stop(): void {
    const one = this.#one ?? this.#found();
    if (one) kill(one);
    this.#one = undefined;
  }

  #found(): Beside | undefined {
    try {
      const stat = parseStat(readFileSync(join(this.#parts.folder, 'watchdog'), 'latin1').trim());
      const one = stat && { pid: stat.pid, start: stat.start };
      // Numbers and start times come again in another start of the machine; who runs our script is ours.
      const ours =
        one && readFileSync(`/proc/${one.pid}/cmdline`, 'latin1').includes(join(this.#parts.folder, 'watchdog-'));
      return ours && lives(one) ? one : undefined;
    } catch {
      return undefined;
    }
  }
}
