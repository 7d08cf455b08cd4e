/** An {@link OutboxDisk} in memory: of simulated nodes, and of tests, where it outlives its agent and may be full. */
import type { Ended } from './executor.ts';
import type { OutboxDisk } from './outbox.ts';

export class MemoryOutbox implements OutboxDisk {
  readonly kept = new Map<number, Ended>();
  /** Not empty: nothing can be written, for this reason. */
  full = '';

  load(): readonly Ended[] {
    return [...this.kept.values()];
  }

  append(results: readonly Ended[]): void {
    if (this.full !== '') throw new Error(this.full);
    for (const ended of results) this.kept.set(ended.token, ended);
  }

  remove(tokens: readonly number[]): void {
    if (this.full !== '') return;
    for (const token of tokens) this.kept.delete(token);
  }

  close(): void {}
}
