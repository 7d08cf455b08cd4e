/**
 * Waits for a service's process to stop being the shim: what a shell cannot run would be told as running, and a moment
 * later as ended. A command that the shell itself runs is never anything else, and is not waited for for long.
 */
import { readFileSync } from 'node:fs';
import type { UnitFolder } from './unit-folder.ts';

const firstLookMs = 2;
const longestLookMs = 500;

export class Becoming {
  #tell: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param tell runs once, in this call where there is nothing to wait for.
   * @param longestMs of the waits between two looks, each twice the one before: all of them take twice that.
   */
  constructor(
    pid: number,
    folder: Pick<UnitFolder, 'shim' | 'waitingShim'>,
    tell: () => void,
    longestMs = longestLookMs,
  ) {
    this.#tell = tell;
    const look = (ms: number) => {
      if (ms > longestMs || !isShimStill(pid, folder)) this.now();
      else this.#timer = setTimeout(() => look(ms * 2), ms);
    };
    look(firstLookMs);
  }

  /** It has ended, or it does not matter any more. */
  now(): void {
    const tell = this.#tell;
    this.drop();
    tell?.();
  }

  drop(): void {
    clearTimeout(this.#timer);
    this.#tell = undefined;
  }
}

/**
 * By its arguments, which are the shim's own until another program takes its place (proc(5), cmdline). None at all: it is
 * in between, or it has ended, and how is told in a moment.
 */
function isShimStill(pid: number, { shim, waitingShim }: Pick<UnitFolder, 'shim' | 'waitingShim'>): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.length === 1 || words[1] === shim || words[4] === waitingShim;
  } catch {
    return true;
  }
}
