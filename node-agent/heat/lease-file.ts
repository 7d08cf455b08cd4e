/** The lease as agent, burner and watchdog read it; written whole, by renaming. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../replace-file.ts';
import type { BootClock } from './boot-clock.ts';

/** No lease is longer, whatever a file says. */
const longestMs = 60_000;

export class LeaseFile {
  readonly #folder: string;
  readonly #clock: BootClock;
  #serial = 0;
  #seen: { readonly serial: string; readonly at: number } | undefined;

  constructor(folder: string, clock: BootClock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  /** @param until ms of the boot clock; in the past: none. Throws what the file system throws. */
  write(until: number): void {
    const left = until - this.#clock.now();
    if (!(left > 0)) {
      rmSync(join(this.#folder, 'lease'), { force: true });
      return;
    }
    const end = this.#clock.shared ? Math.floor(until / 1000) : '-';
    const line = `${this.#clock.boot} ${end} ${Date.now()}.${this.#serial++} ${Math.floor(left / 1000)}\n`;
    replaceFile(this.#folder, 'lease', line, false);
  }

  /**
   * There is one, and nobody renewed it: for who goes by what an agent said that may hang since. Where no clock is shared its
   * seconds are counted from when it was seen first.
   */
  isOver(): boolean {
    const [boot, end, serial = '', seconds] = this.#read()?.split(' ') ?? [];
    if (boot === undefined) return false;
    const now = this.#clock.now();
    if (boot !== this.#clock.boot) return true;
    if (this.#clock.shared) return !(now < Number(end) * 1000);
    if (serial !== this.#seen?.serial) this.#seen = { serial, at: now };
    return !(now - this.#seen.at < Number(seconds) * 1000);
  }

  /** Ends it within a turn of the loop of whoever looks. */
  end(): void {
    rmSync(join(this.#folder, 'lease'), { force: true });
  }

  /** End of a lease that was granted since this start of the machine and still runs, ms of the boot clock. */
  running(): number | undefined {
    const [boot, end] = this.#read()?.split(' ') ?? [];
    const until = Number(end) * 1000;
    const left = until - this.#clock.now();
    return this.#clock.shared && boot === this.#clock.boot && left > 0 && left <= longestMs ? until : undefined;
  }

  #read(): string | undefined {
    try {
      return readFileSync(join(this.#folder, 'lease'), 'utf8').trim();
    } catch {
      return undefined;
    }
  }
}
