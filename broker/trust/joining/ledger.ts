/**
 * The records of joining, in memory as they will be and on the store as they are. A change counts in memory at once, so that
 * what is revoked or used up is so for the next who asks; it is told when it is on stable storage. While one batch is
 * being synced the next collects: a hundred machines that join together wait for a few syncs, not for a hundred. A batch
 * that fails is taken back, and what was built on it.
 */
import { check, parseJson } from '../../../shared/codec.ts';
import { sentence } from '../../../shared/errors.ts';
import { printable } from '../../../shared/names.ts';
import type { Store } from '../../../shared/store.ts';
import { UserError } from '../../../shared/user-error.ts';
import { type Kinds, recordSchemas } from './records.ts';

type Kind = keyof Kinds;

/** A record as it shall be; undefined: gone. */
export type Change = {
  [K in Kind]: { readonly kind: K; readonly id: string; readonly record: Kinds[K] | undefined };
}[Kind];

interface Batch {
  readonly changes: Map<string, Change>;
  readonly waiters: { readonly done: () => void; readonly failed: (error: Error) => void }[];
}

const keyOf = ({ kind, id }: Change): string => `trust/${kind}/${id}`;

export class Ledger {
  readonly tokens = new Map<string, Kinds['token']>();
  readonly nodes = new Map<string, Kinds['node']>();
  readonly rules = new Map<string, Kinds['rule']>();
  readonly #store: Store;
  /** The changes that are on the disk, newest per key. */
  readonly #durable = new Map<string, Change>();
  /** Keys that a failed batch may have left on the disk all the same; the next batch writes them again. */
  readonly #repair = new Map<string, Change>();
  readonly #listeners: ((change: Change, before: object | undefined) => void)[] = [];
  #writing: Batch | undefined;
  #next: Batch | undefined;

  /** @throws UserError where a record cannot be read: nobody is let in or kept out by guessing. */
  static async load(store: Store): Promise<Ledger> {
    const ledger = new Ledger(store);
    for (const kind of Object.keys(recordSchemas) as Kind[]) await ledger.#load(kind);
    return ledger;
  }

  private constructor(store: Store) {
    this.#store = store;
  }

  /** Runs for every change that counts from now on, the ones that are taken back too. */
  onChange(listener: (change: Change, before: object | undefined) => void): void {
    this.#listeners.push(listener);
  }

  /** All or nothing. Resolves when it is on stable storage. */
  write(...changes: readonly Change[]): Promise<void> {
    this.#next ??= { changes: new Map(), waiters: [] };
    const batch = this.#next;
    for (const change of changes) {
      batch.changes.set(keyOf(change), change);
      this.#apply(change);
    }
    const written = new Promise<void>((done, failed) => batch.waiters.push({ done, failed }));
    this.#writeNext();
    return written;
  }

  async #load(kind: Kind): Promise<void> {
    const prefix = `trust/${kind}/`;
    const entries = await new Promise<readonly (readonly [string, string])[]>((resolve, reject) =>
      this.#store.read(prefix, (error, found) => (error ? reject(unreadable(prefix, error.message)) : resolve(found))),
    );
    for (const [key, text] of entries) {
      const json = parseJson(text);
      const record = json.ok ? check(recordSchemas[kind], json.value) : json;
      if (!record.ok) throw unreadable(key, sentence(record.error));
      const change = { kind, id: key.slice(prefix.length), record: record.value } as Change;
      this.#durable.set(key, change);
      this.#apply(change);
    }
  }

  #apply(change: Change): void {
    const table = this.#table(change.kind);
    const before = table.get(change.id);
    if (change.record) table.set(change.id, change.record);
    else table.delete(change.id);
    for (const listener of this.#listeners) listener(change, before);
  }

  #table(kind: Kind): Map<string, object> {
    return kind === 'token' ? this.tokens : kind === 'node' ? this.nodes : this.rules;
  }

  #writeNext(): void {
    if (this.#writing || !this.#next) return;
    const batch = this.#next;
    this.#writing = batch;
    this.#next = undefined;
    const all = new Map([...this.#repair, ...batch.changes]);
    const ops = [...all].map(([key, { record }]) =>
      record ? { put: key, value: JSON.stringify(record) } : { del: key },
    );
    this.#store.write(ops, error => {
      this.#writing = undefined;
      if (error) this.#failed(batch, error);
      else this.#synced(batch);
    });
  }

  #synced(batch: Batch): void {
    for (const [key, change] of batch.changes) {
      if (change.record) this.#durable.set(key, change);
      else this.#durable.delete(key);
    }
    this.#repair.clear();
    this.#writeNext();
    for (const { done } of batch.waiters) done();
  }

  #failed(batch: Batch, error: Error): void {
    const lost = this.#next ? [batch, this.#next] : [batch];
    this.#next = undefined;
    for (const { changes } of lost) {
      for (const [key, change] of changes) {
        const before = this.#durable.get(key) ?? ({ ...change, record: undefined } as Change);
        this.#repair.set(key, before);
        this.#apply(before);
      }
    }
    const told = new UserError(
      `Nothing was changed, the journal could not be written: ${printable(error.message, 200)}.`,
    );
    for (const { waiters } of lost) for (const { failed } of waiters) failed(told);
  }
}

const unreadable = (key: string, why: string): UserError =>
  new UserError(
    `The journal's entry ${printable(key)} cannot be read (${printable(why, 200)}): restore the data folder from a backup.`,
  );
