/**
 * Safe mode: the agent keeps its connection, its telemetry and the `do` verbs, and applies nothing until it is told to go
 * on (`do/resume`). It is asked for (`--safe`), or comes by itself when the agent ended five times in a row, each time
 * within a minute of its start and without being told to: what it applies may be what kills it. What runs, runs on.
 */
import type { SafeModeMemory } from './disk.ts';

export const safeModeTimes = { ends: 5, wellMs: 60_000 } as const;

export interface SafeModeDisk {
  loadSafeMode(): SafeModeMemory;
  /** Not synced: it is the agent's own end that is counted, not the machine's. Throws where it cannot be written. */
  saveSafeMode(memory: SafeModeMemory): void;
}

export class SafeMode {
  readonly #disk: SafeModeDisk;
  readonly #asked: boolean;
  #reason = '';

  /** @param asked by `--safe`. */
  constructor(disk: SafeModeDisk, asked: boolean) {
    this.#disk = disk;
    this.#asked = asked;
  }

  /** Why nothing is applied; empty where everything is. */
  get reason(): string {
    return this.#reason;
  }

  /** Counts this start as one that has not gone well yet. */
  start(): void {
    const { ends, safe } = this.#disk.loadSafeMode();
    const way = 'do/resume on this node ends it';
    if (this.#asked || safe) this.#reason = `safe mode, as asked: nothing is applied; ${way}`;
    else if (ends >= safeModeTimes.ends) {
      this.#reason = `safe mode: the agent ended ${ends} times in a row within a minute of its start, so nothing is applied; ${way}`;
    } else this.#save({ ends: ends + 1, safe: false });
  }

  /** It has run for {@link safeModeTimes.wellMs}, or was told to end. */
  well(): void {
    // Asked for since it was started, for the next start: that stays.
    if (this.#reason === '') this.#save({ ends: 0, safe: this.#disk.loadSafeMode().safe });
  }

  /** Somebody said so. */
  end(): void {
    this.#reason = '';
    this.#save({ ends: 0, safe: false });
  }

  #save(memory: SafeModeMemory): void {
    try {
      this.#disk.saveSafeMode(memory);
    } catch {
      // A full disk is told by who writes what matters; at worst an end is not counted.
    }
  }
}
