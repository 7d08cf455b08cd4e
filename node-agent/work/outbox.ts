/**
 * Results on their way to the supervisor: each stays until it is acknowledged, through cut connections, killed agents and
 * reboots. Never is one dropped for want of room: a full outbox takes the node's credits instead. Pure but for its disk.
 */
import type { Ended } from './executor.ts';

export const outboxLimits = {
  /** With more, no new work is taken. */
  bytes: 64 * 1024 * 1024,
  results: 200_000,
  /** One with more is none that a message can carry. */
  result: 512 * 1024,
} as const;

/** The seam: what of results is on disk. */
export interface OutboxDisk {
  /** Everything that was appended and not removed, in order. What a crash left half written is cut off. Throws with one sentence. */
  load(): readonly Ended[];
  /**
   * On return they survive a killed agent. `sync`: soon they survive a power cut, too. Throws with one sentence, and then
   * nothing of them is there.
   */
  append(results: readonly Ended[], sync: boolean): void;
  /** Never throws: a removal that was lost brings the result again, which is then acknowledged again. */
  remove(tokens: readonly number[]): void;
  close(): void;
}

export interface OutboxEntry {
  readonly ended: Ended;
  /** In a report. */
  readonly bytes: number;
  /** On disk. */
  kept: boolean;
}

/** Of a result without anything in it. */
const bareBytes = 48;
const sizeOf = ({ end }: Ended): number => bareBytes + (end === undefined ? 0 : Buffer.byteLength(JSON.stringify(end)));

export class Outbox {
  readonly #entries = new Map<number, OutboxEntry>();
  #bytes = 0;

  get size(): number {
    return this.#entries.size;
  }

  get tokens(): IterableIterator<number> {
    return this.#entries.keys();
  }

  get entries(): IterableIterator<OutboxEntry> {
    return this.#entries.values();
  }

  get(token: number): OutboxEntry | undefined {
    return this.#entries.get(token);
  }

  has(token: number): boolean {
    return this.#entries.has(token);
  }

  add(result: Ended, kept: boolean): OutboxEntry {
    let [ended, bytes] = [result, sizeOf(result)];
    if (bytes > outboxLimits.result) {
      const err = `its result has ${bytes} bytes, which is more than a message holds`;
      ended = { ...result, end: { why: 'output', err } };
      bytes = sizeOf(ended);
    }
    const entry = { ended, bytes, kept };
    this.#entries.set(ended.token, entry);
    this.#bytes += bytes;
    return entry;
  }

  /** @returns those of them that were here, on disk and in memory alone. */
  remove(tokens: readonly number[]): { readonly kept: readonly number[]; readonly unkept: readonly number[] } {
    const [kept, unkept]: [number[], number[]] = [[], []];
    for (const token of tokens) {
      const entry = this.#entries.get(token);
      if (!entry) continue;
      this.#entries.delete(token);
      this.#bytes -= entry.bytes;
      (entry.kept ? kept : unkept).push(token);
    }
    return { kept, unkept };
  }

  /** They are on disk. @returns those that are still here, and those that went meanwhile. */
  kept(tokens: readonly number[]): { readonly here: readonly number[]; readonly gone: readonly number[] } {
    const [here, gone]: [number[], number[]] = [[], []];
    for (const token of tokens) {
      const entry = this.#entries.get(token);
      if (entry) entry.kept = true;
      (entry ? here : gone).push(token);
    }
    return { here, gone };
  }

  /** In memory alone. */
  unkept(): readonly Ended[] {
    return [...this.#entries.values()].filter(({ kept }) => !kept).map(({ ended }) => ended);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  /** How many more results as they were so far it would take. */
  get room(): number {
    const mean = this.#entries.size === 0 ? bareBytes : this.#bytes / this.#entries.size;
    const byBytes = Math.floor((outboxLimits.bytes - this.#bytes) / mean);
    return Math.max(0, Math.min(outboxLimits.results - this.#entries.size, byBytes));
  }
}
