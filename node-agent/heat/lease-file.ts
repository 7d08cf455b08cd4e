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

  /** Ends it within a turn of the loop of whoever looks. */
  end(): void {
    rmSync(join(this.#folder, 'lease'), { force: true });
  }

  /** End of a lease that was granted since this start of the machine and still runs, ms of the boot clock. */
  running(): number | undefined {
    let text: string;
    try {
      text = readFileSync(join(this.#folder, 'lease'), 'utf8');
    } catch {
      return undefined;
    }
    const [boot, end] = text.trim().split(' ');
    const until = Number(end) * 1000;
    const left = until - this.#clock.now();
    return this.#clock.shared && boot === this.#clock.boot && left > 0 && left <= longestMs ? until : undefined;
  }
}
