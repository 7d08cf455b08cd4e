/** Says of each item how it is, from what was seen and from how its steps went, and what is left alone for now. */
import type { Clock } from '../../../shared/clock.ts';
import type { FileItem } from '../../../shared/schemas/file.ts';
import type { Seen } from './look.ts';
import { restoreId } from './plan.ts';
import { type Failure, fightSentence, type Retries } from './retries.ts';
import type { Statuses } from './statuses.ts';
import type { Target } from './target.ts';
import { shown } from './wrong.ts';

export class Verdicts {
  readonly #statuses: Statuses;
  readonly #retries: Retries;
  readonly #clock: Clock;
  /** Name of an item -> why what was at a former path of it is not back. */
  readonly #unrestored = new Map<string, Failure>();

  constructor(statuses: Statuses, retries: Retries, clock: Clock) {
    this.#statuses = statuses;
    this.#retries = retries;
    this.#clock = clock;
  }

  /**
   * @param diffOf how a file differs, for people.
   * @returns what is not to be planned for now: names of items, and `restoreId` of paths.
   */
  async judge(
    { targets, wrong, unseen, drifts, held }: Seen,
    wanted: Readonly<Record<string, FileItem>>,
    diffOf: (target: Target) => Promise<string | undefined>,
  ): Promise<Set<string>> {
    const now = this.#clock.now();
    const waiting = new Set<string>();
    const kept = new Set([...Object.keys(wanted), ...[...held.values()].map(({ item }) => item)]);
    for (const name of this.#statuses.names()) if (!kept.has(name)) this.#statuses.delete(name);
    this.#retries.keepOnly(new Set([...kept, ...[...held.keys()].map(restoreId)]));
    for (const [name, err] of wrong) {
      const failure = unseen.has(name) ? this.#retries.failed(name, 'look', err, true, now) : undefined;
      this.#statuses.set(name, 'failed', { err, ...(failure ? { next_ms: this.#wall(failure.nextAt) } : {}) });
    }
    this.#unrestored.clear();
    for (const [path, { item }] of held) {
      const failure = this.#retries.waiting(restoreId(path), '', now);
      if (!failure) continue;
      waiting.add(restoreId(path));
      this.#unrestored.set(item, failure);
    }
    for (const [name, target] of targets) {
      const failure = this.#retries.waiting(name, keyOf(target), now);
      const drift = drifts.get(target.path);
      const fightUntil = drift && !target.isReport ? this.#retries.fighting(name, now) : undefined;
      if (failure ?? fightUntil) waiting.add(name);
      if (failure) this.#tell(name, failure);
      else if (fightUntil !== undefined) {
        const err = fightSentence(shown(target.path));
        this.#statuses.set(name, 'drifted', { err, next_ms: this.#wall(fightUntil) });
      } else if (drift) {
        const diff = await diffOf(target);
        const err = `${shown(target.path)}: ${drift.why}`;
        this.#statuses.set(name, 'drifted', { err, ...(diff === undefined ? {} : { diff }) });
      } else this.#statuses.set(name, 'ok');
    }
    for (const name of this.#unrestored.keys()) this.well(name);
    return waiting;
  }

  /** As wanted; unless what the item once had elsewhere could not be taken away. */
  well(name: string, details: { diff?: string } = {}): void {
    const failure = this.#unrestored.get(name);
    if (failure) this.#tell(name, failure);
    else this.#statuses.set(name, 'ok', details);
  }

  /** The step of an item went well. */
  made(name: string, isRepair: boolean): void {
    this.#retries.succeeded(name);
    if (isRepair) this.#retries.repaired(name, this.#clock.now());
  }

  /** What was at a path before is back. @param isWanted the item has another path now. */
  restored(name: string, path: string, isWanted: boolean): void {
    this.#retries.succeeded(restoreId(path));
    this.#unrestored.delete(name);
    if (!isWanted) this.#statuses.delete(name);
  }

  /** A step failed. @param target undefined: what was at the path before could not be brought back. */
  failed(name: string, path: string, target: Target | undefined, sentence: string, isLater: boolean): void {
    const id = target ? name : restoreId(path);
    const key = target ? keyOf(target) : '';
    const failure = this.#retries.failed(id, key, sentence, isLater, this.#clock.now());
    if (!target) this.#unrestored.set(name, failure);
    this.#tell(name, failure);
  }

  #tell(name: string, { sentence, nextAt }: Failure): void {
    this.#statuses.set(name, 'failed', { err: sentence, next_ms: this.#wall(nextAt) });
  }

  #wall(at: number): number {
    return Math.round(this.#clock.wall() + at - this.#clock.now());
  }
}

const keyOf = (target: Target): string => `${target.path} ${target.key}`;
