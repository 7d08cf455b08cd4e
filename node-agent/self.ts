/** What a node knows about itself, and its copy on disk: every change is on stable storage before it is acted on. */
import type { Verifier } from '../shared/authority.ts';
import type { Clock, Random } from '../shared/clock.ts';
import type { Log } from '../shared/log.ts';
import type { AgentDisk, AgentMemory } from './disk.ts';
import { decideIdentity, renamed } from './session/identity.ts';
import type { Allegiance, Pin } from './session/orders.ts';

export interface SelfParts {
  readonly disk: AgentDisk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly verifier: Verifier;
  readonly node?: string;
  readonly hostname?: string;
  readonly trustFirst: boolean;
  readonly cluster?: string;
}

/** How often a disk that refused is asked again. */
export const diskRetryMs = 5000;

export class Self {
  readonly #parts: SelfParts;
  #memory: AgentMemory = { node: 'node', inst: '00000000', epochCeiling: 0 };
  #error = '';
  /** The highest ceiling asked for: after a failure it may be above what is on disk. */
  #wanted = 0;
  #retryAt = Number.POSITIVE_INFINITY;

  constructor(parts: SelfParts) {
    this.#parts = parts;
  }

  get node(): string {
    return this.#memory.node;
  }

  get inst(): string {
    return this.#memory.inst;
  }

  get epochCeiling(): number {
    return this.#memory.epochCeiling;
  }

  /** Why the last change is not on disk; empty when it is. */
  get error(): string {
    return this.#error;
  }

  /** Reads the identity, or makes one at the first start. @returns why the agent cannot start. */
  remember(): string | undefined {
    const { disk, node, hostname = 'node', cluster, trustFirst, random } = this.#parts;
    try {
      const kept = disk.load();
      const choice = { hostname, trustFirst, ...(node ? { node } : {}), ...(cluster ? { cluster } : {}) };
      const decided = decideIdentity(kept, choice, random);
      if ('error' in decided) return decided.error;
      if (decided.memory !== kept) disk.save(decided.memory);
      this.#memory = decided.memory;
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  allegiance(): Allegiance {
    const { verifier, cluster, trustFirst } = this.#parts;
    return { node: this.#memory.node, verifier, pin: this.#memory.cluster, expected: cluster, trustFirst };
  }

  /** Epochs up to `ceiling` are used up. @returns whether that is on disk. */
  reserve(ceiling: number): boolean {
    this.#wanted = ceiling;
    return this.#save({ ...this.#memory, epochCeiling: ceiling });
  }

  deadline(): number {
    return this.#retryAt;
  }

  /** Asks a disk that refused again. @returns whether it took everything now. */
  tick(now: number): boolean {
    if (now < this.#retryAt) return false;
    return this.#save({ ...this.#memory, epochCeiling: Math.max(this.#memory.epochCeiling, this.#wanted) });
  }

  /** Joins a cluster for good. @returns whether that is on disk; if not, the node has not joined. */
  join(pin: Pin): boolean {
    return this.#save({ ...this.#memory, cluster: pin });
  }

  leave(): void {
    const { cluster: _, ...rest } = this.#memory;
    this.#save(rest);
  }

  /** Takes another id where nobody chose this one. @returns whether it did. */
  rename(): boolean {
    const other = renamed(this.#memory, this.#parts.random);
    return other !== undefined && this.#save(other);
  }

  #save(memory: AgentMemory): boolean {
    try {
      this.#parts.disk.save(memory);
      this.#memory = memory;
      this.#error = '';
      this.#retryAt = Number.POSITIVE_INFINITY;
      return true;
    } catch (error) {
      this.#error = (error as Error).message;
      this.#retryAt = this.#parts.clock.now() + diskRetryMs;
      this.#parts.log.error({}, this.#error);
      return false;
    }
  }
}
