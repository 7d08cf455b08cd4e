/**
 * Group commit. One write is under way at a time; what comes meanwhile is collected and becomes the next, so that a busy
 * supervisor syncs as often as its disk can, and an idle one at once. What is promised (answers, acks, results) is said
 * when the write that it rests on, and every one before it, is synced; what needs no write is said in the same order.
 *
 * The disk refuses (`unsynced`): the adapter tries on, promises wait, and nothing new is taken until it has succeeded.
 */
import type { ContractError } from '../../../shared/errors.ts';
import type { StoreOp } from '../../../shared/store.ts';

export class Journal {
  ops: StoreOp[] = [];
  #promises: (() => void)[] = [];
  #underWay: { readonly write: number; readonly promises: (() => void)[] } | undefined;
  #writes = 0;
  /** Why the disk takes nothing now. */
  stuck: ContractError | undefined;

  put(key: string, value: string): void {
    this.ops.push({ put: key, value });
  }

  del(key: string): void {
    this.ops.push({ del: key });
  }

  /** Runs once all that was put before is on stable storage; in order of the calls. */
  promise(run: () => void): void {
    this.#promises.push(run);
  }

  get busy(): boolean {
    return this.#underWay !== undefined;
  }

  /** @returns the write to begin now, or promises that can be kept at once; undefined: neither. Not while busy. */
  next(): { readonly write: number; readonly ops: readonly StoreOp[] } | (() => void)[] | undefined {
    if (this.#underWay) return undefined;
    const promises = this.#promises;
    if (this.ops.length === 0 && promises.length === 0) return undefined;
    this.#promises = [];
    if (this.ops.length === 0) return promises;
    const ops = this.ops;
    this.ops = [];
    this.#underWay = { write: ++this.#writes, promises };
    return { write: this.#writes, ops };
  }

  /** @returns what can be said now. */
  synced(write: number): readonly (() => void)[] {
    const underWay = this.#underWay;
    if (underWay === undefined || write < underWay.write) return [];
    this.#underWay = undefined;
    this.stuck = undefined;
    return underWay.promises;
  }
}
