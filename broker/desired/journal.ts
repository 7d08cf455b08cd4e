/**
 * The journal: the accepted documents and the sequence `rev`, in a Store. Changes are taken at once and written in
 * groups: while one batch is being synced, the next collects. Nobody is told of a change before its batch is on stable
 * storage, and a batch that fails takes everything back that was built on it.
 *
 * Keys: `meta/{format,gen,rev}`, `doc/node/<id>` (a {@link NodeEntry}), `doc/role/<id>` (a {@link RoleEntry}),
 * `room/<id>` (a {@link RoomEntry}; versions without rooms do not look there), `j/<rev, 16 digits>` (what changed, by whom).
 */
import type { ContractError } from '../../shared/errors.ts';
import { format } from '../../shared/limits.ts';
import type { Log } from '../../shared/log.ts';
import type { Store, StoreOp } from '../../shared/store.ts';
import type { RoomEntry } from '../heat/rooms/entry.ts';
import type { NodeEntry, RoleEntry } from './compile.ts';
import { loadJournal } from './load-journal.ts';

/** What of the history is the same for every change. */
interface Told {
  /** For the history. */
  readonly what: 'set' | 'seen' | 'forget' | 'rollout';
  readonly by?: string | undefined;
  readonly key?: string | undefined;
  readonly atMs: number;
}

/** The new entry of a node, room or role without its revision, or undefined: forgotten. */
export type Change = Told &
  (
    | { readonly noun: 'node'; readonly id: string; readonly entry: Omit<NodeEntry, 'rev'> | undefined }
    | { readonly noun: 'room'; readonly id: string; readonly entry: Omit<RoomEntry, 'rev'> | undefined }
    | {
        readonly noun: 'role';
        readonly id: string;
        /** Or what gives it for the change's revision, where that is in more than its `rev`, or `rev` stays. */
        readonly entry: Omit<RoleEntry, 'rev'> | ((rev: number) => RoleEntry);
        /** Entries of nodes that must change with it, at the revision that they have. */
        readonly also?: ReadonlyMap<string, NodeEntry> | undefined;
      }
  );

type Waiter = (error: ContractError | undefined, rev: number) => void;

/** The last entry of everything that a batch changes. */
export interface Touched {
  readonly nodes: ReadonlyMap<string, NodeEntry | undefined>;
  readonly roles: ReadonlyMap<string, RoleEntry>;
  readonly rooms: ReadonlyMap<string, RoomEntry | undefined>;
}

interface Batch {
  readonly touched: {
    readonly nodes: Map<string, NodeEntry | undefined>;
    readonly roles: Map<string, RoleEntry>;
    readonly rooms: Map<string, RoomEntry | undefined>;
  };
  readonly history: StoreOp[];
  readonly waiters: { readonly done: Waiter; readonly rev: number }[];
  rev: number;
}

export interface JournalParts {
  readonly store: Store;
  readonly log: Log;
  /** A batch is on its way to the disk: what can be made ready meanwhile for `synced`, which may never come. */
  readonly writing: (touched: Touched) => void;
  /** A batch is synced: what to publish, the newest entry of each. Its senders are answered after. */
  readonly synced: (touched: Touched) => void;
}

export const journalLimits = {
  /** Changes that may wait for a sync. */
  pending: 10_000,
  /** Entries of history that are kept. */
  history: 10_000,
} as const;

const historyKey = (rev: number): string => `j/${String(rev).padStart(16, '0')}`;

const prefixes = { nodes: 'doc/node/', roles: 'doc/role/', rooms: 'room/' } as const;
const kinds = ['nodes', 'roles', 'rooms'] as const;

function putBack<Entry>(map: Map<string, Entry>, id: string, entry: Entry | undefined): void {
  if (entry === undefined) map.delete(id);
  else map.set(id, entry);
}

export class Journal {
  gen = 0;
  /** Documents as accepted, the unsynced changes with them: what the next change is built on. */
  readonly nodes = new Map<string, NodeEntry>();
  /** Documents as they are on stable storage: what may be published. */
  readonly durable = new Map<string, NodeEntry>();
  readonly roles = new Map<string, RoleEntry>();
  readonly durableRoles = new Map<string, RoleEntry>();
  readonly rooms = new Map<string, RoomEntry>();
  readonly durableRooms = new Map<string, RoomEntry>();
  readonly #parts: JournalParts;
  #rev = 0;
  #durableRev = 0;
  #writing: Batch | undefined;
  #next: Batch | undefined;
  /** What a failed batch may have left on the disk all the same; the next batch writes it again. */
  readonly #repair = { nodes: new Set<string>(), roles: new Set<string>(), rooms: new Set<string>() };
  #whenIdle: (() => void) | undefined;

  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  /** The sequence number of the last synced change. */
  get rev(): number {
    return this.#durableRev;
  }

  load(done: (error?: string) => void): void {
    loadJournal(this.#parts.store, (error, found) => {
      if (error !== undefined || !found) return done(error ?? 'the journal is empty');
      this.gen = found.gen;
      this.#rev = found.rev;
      this.#durableRev = found.rev;
      for (const [node, entry] of found.nodes) {
        this.nodes.set(node, entry);
        this.durable.set(node, entry);
      }
      for (const [role, entry] of found.roles) {
        this.roles.set(role, entry);
        this.durableRoles.set(role, entry);
      }
      for (const [room, entry] of found.rooms) {
        this.rooms.set(room, entry);
        this.durableRooms.set(room, entry);
      }
      if (!found.fresh) return done();
      const ops = [
        { put: 'meta/format', value: String(format) },
        { put: 'meta/gen', value: '0' },
        { put: 'meta/rev', value: '0' },
      ];
      this.#parts.store.write(ops, failure => done(failure && `the journal cannot be written: ${failure.message}`));
    });
  }

  /** Takes a change. `done` runs once: after the sync, with the change's sequence number, or with the reason why not. */
  submit(change: Change, done: Waiter): void {
    if (this.#pending() >= journalLimits.pending) {
      const message = `${journalLimits.pending} changes wait for the disk already: try again later`;
      done({ code: 'full', message }, this.#rev);
      return;
    }
    const batch = this.#collecting();
    const rev = ++this.#rev;
    if (change.noun === 'node') {
      const entry = change.entry && { ...change.entry, rev };
      putBack(this.nodes, change.id, entry);
      batch.touched.nodes.set(change.id, entry);
    } else if (change.noun === 'room') {
      const entry = change.entry && { ...change.entry, rev };
      putBack(this.rooms, change.id, entry);
      batch.touched.rooms.set(change.id, entry);
    } else {
      const entry = typeof change.entry === 'function' ? change.entry(rev) : { ...change.entry, rev };
      this.roles.set(change.id, entry);
      batch.touched.roles.set(change.id, entry);
      for (const [node, also] of change.also ?? []) {
        this.nodes.set(node, also);
        batch.touched.nodes.set(node, also);
      }
    }
    batch.rev = rev;
    const { noun, id, what, by, key, atMs } = change;
    batch.history.push({ put: historyKey(rev), value: JSON.stringify({ [noun]: id, what, key, by, at_ms: atMs }) });
    if (rev > journalLimits.history) batch.history.push({ del: historyKey(rev - journalLimits.history) });
    batch.waiters.push({ done, rev });
    this.#writeNext();
  }

  /** Runs `done` when everything accepted so far is synced: at once where nothing waits. */
  afterPending(rev: number, done: Waiter): void {
    const batch = this.#next ?? this.#writing;
    if (!batch) done(undefined, rev);
    else if (this.#pending() < journalLimits.pending) batch.waiters.push({ done, rev });
    else done({ code: 'full', message: 'too many changes wait for the disk: try again later' }, rev);
  }

  /** Waits for the batches under way and closes the store. */
  close(done: () => void): void {
    const close = () => this.#parts.store.close(done);
    if (this.#writing || this.#next) this.#whenIdle = close;
    else close();
  }

  #pending = (): number => (this.#writing?.waiters.length ?? 0) + (this.#next?.waiters.length ?? 0);

  #collecting(): Batch {
    const touched = { nodes: new Map(), roles: new Map(), rooms: new Map() };
    this.#next ??= { touched, history: [], waiters: [], rev: this.#rev };
    return this.#next;
  }

  #writeNext(): void {
    if (this.#writing || !this.#next) return;
    const batch = this.#next;
    this.#writing = batch;
    this.#next = undefined;
    const ops: StoreOp[] = [...batch.history, { put: 'meta/rev', value: String(batch.rev) }];
    const put = (key: string, entry: object | undefined) =>
      ops.push(entry ? { put: key, value: JSON.stringify(entry) } : { del: key });
    for (const [key, entry] of this.#repaired(batch.touched)) put(key, entry);
    for (const kind of kinds) for (const [id, entry] of batch.touched[kind]) put(prefixes[kind] + id, entry);
    this.#parts.store.write(ops, error => (error ? this.#failed(batch, error) : this.#synced(batch)));
    this.#parts.writing(batch.touched);
  }

  /** What the disk should hold of everything that it may not. */
  *#repaired(touched: Touched): Iterable<readonly [string, object | undefined]> {
    const durable = { nodes: this.durable, roles: this.durableRoles, rooms: this.durableRooms };
    for (const kind of kinds)
      for (const id of this.#repair[kind])
        if (!touched[kind].has(id)) yield [prefixes[kind] + id, durable[kind].get(id)];
  }

  #synced(batch: Batch): void {
    for (const [node, entry] of batch.touched.nodes) putBack(this.durable, node, entry);
    for (const [role, entry] of batch.touched.roles) this.durableRoles.set(role, entry);
    for (const [room, entry] of batch.touched.rooms) putBack(this.durableRooms, room, entry);
    this.#durableRev = batch.rev;
    for (const kind of kinds) this.#repair[kind].clear();
    this.#writing = undefined;
    // The next sync runs while this batch is told.
    this.#writeNext();
    // Published first: nodes wait for it, and who reads `own` after his answer finds what he set.
    this.#parts.synced(batch.touched);
    for (const { done, rev } of batch.waiters) done(undefined, rev);
    this.#checkIdle();
  }

  /** Back to what the store holds: this batch is undone, and the one that was built on it. */
  #failed(batch: Batch, error: Error): void {
    const lost = this.#next ? [batch, this.#next] : [batch];
    this.#writing = undefined;
    this.#next = undefined;
    this.#rev = this.#durableRev;
    for (const { touched } of lost) {
      for (const node of touched.nodes.keys()) {
        this.#repair.nodes.add(node);
        putBack(this.nodes, node, this.durable.get(node));
      }
      for (const role of touched.roles.keys()) {
        this.#repair.roles.add(role);
        putBack(this.roles, role, this.durableRoles.get(role));
      }
      for (const room of touched.rooms.keys()) {
        this.#repair.rooms.add(room);
        putBack(this.rooms, room, this.durableRooms.get(room));
      }
    }
    const message = `not accepted, the journal could not be written: ${error.message}`;
    this.#parts.log.error({ error: error.message, changes: lost.length }, 'the journal could not be written');
    for (const { waiters } of lost) for (const { done } of waiters) done({ code: 'journal', message }, this.#rev);
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#writing || this.#next || !this.#whenIdle) return;
    const close = this.#whenIdle;
    this.#whenIdle = undefined;
    close();
  }
}
