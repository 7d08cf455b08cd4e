/**
 * Artifacts that jobs need, or have made. What a job names stays as long as the job is kept; what its tasks left, as long as
 * it has not ended: after that it goes like anything else when there is no room, what was used longest ago first.
 */

import type { StoreOp } from '../../shared/store.ts';
import { type ArtifactUse, usesIn } from '../artifacts/uses.ts';
import { type DocumentRecord, documentKey, idOfKey, outResults } from './core/records.ts';

/** `jobart/<job>/<sha256>`: an artifact that a task left. Written with its result. */
export const madePrefix = 'jobart/';
const documents = documentKey('');
const outs = 'jobout/';

export class JobUses {
  readonly #named = new Map<string, readonly ArtifactUse[]>();
  readonly #made = new Map<string, Set<string>>();
  readonly #over = new Set<string>();

  /** Entries of the store at the start: of documents, and below {@link madePrefix}. */
  load(entries: readonly (readonly [key: string, value: string])[]): void {
    for (const [key, value] of entries) {
      if (key.startsWith(documents)) this.#name(key, value);
      else if (key.startsWith(madePrefix)) {
        const [, job = '', sha256 = ''] = key.split('/');
        this.#make(job, sha256);
      }
    }
  }

  /** Looks at what is about to be written. @returns what is to be written with it. */
  wrote(ops: readonly StoreOp[]): readonly StoreOp[] {
    const also: StoreOp[] = [];
    for (const op of ops) {
      if ('del' in op) {
        if (op.del.startsWith(documents)) also.push(...this.#gone(idOfKey(op.del)));
      } else if (op.put.startsWith(documents)) this.#name(op.put, op.value);
      else if (op.put.startsWith(outs) && /"(?:out_sha256|files)"/.test(op.value)) {
        const job = op.put.split('/')[1] ?? '';
        for (const { end } of outResults(op.value)) {
          for (const sha256 of [end?.out_sha256, ...Object.values(end?.files ?? {})]) {
            if (sha256 === undefined || !this.#make(job, sha256)) continue;
            also.push({ put: `${madePrefix}${job}/${sha256}`, value: '' });
          }
        }
      }
    }
    return also;
  }

  /** Whether its tasks may still leave something. */
  turned(job: string, over: boolean): void {
    if (over) this.#over.add(job);
    else this.#over.delete(job);
  }

  *all(): Iterable<ArtifactUse> {
    for (const uses of this.#named.values()) yield* uses;
    for (const [job, made] of this.#made) {
      if (!this.#over.has(job)) for (const sha256 of made) yield { sha256, where: `job ${job}: results` };
    }
  }

  #name(key: string, value: string): void {
    if (!value.includes('artifact:')) return;
    const job = idOfKey(key);
    const uses = [...usesIn((JSON.parse(value) as DocumentRecord).document, `job ${job}`)];
    if (uses.length > 0) this.#named.set(job, uses);
  }

  #make(job: string, sha256: string): boolean {
    const made = this.#made.get(job) ?? new Set();
    this.#made.set(job, made);
    const before = made.size;
    return made.add(sha256).size > before;
  }

  #gone(job: string): StoreOp[] {
    const made = [...(this.#made.get(job) ?? [])];
    this.#named.delete(job);
    this.#made.delete(job);
    this.#over.delete(job);
    return made.map(sha256 => ({ del: `${madePrefix}${job}/${sha256}` }));
  }
}
