/**
 * What heating remembers over a restart: how rooms answer, who was heating since when, what meters taught of machines, and
 * the energy counted so far. Written together, now and then and at the end; what is lost with a crash is learned again,
 * and energy is shown only as far as it is written.
 *
 * Keys: `heat/room/<id>`, `heat/allocation` (with the wall clock's time), `heat/model/<node>`, `heat/learning/<node>`,
 * `heat/fillers` (nodes), `heat/kwh/<key of the ledger>`.
 */
import type { Clock } from '../../shared/clock.ts';
import type { Log } from '../../shared/log.ts';
import type { Store, StoreOp } from '../../shared/store.ts';
import { type AllocationState, freshAllocation, loadAllocation } from './allocation/allocate.ts';
import { type ControlState, loadedControl } from './control/controller.ts';
import { type LearningState, loadLearning } from './power/learning.ts';
import { Ledger } from './power/ledger.ts';
import { isModel } from './power/model.ts';
import type { PowerModel } from './types.ts';

const prefix = 'heat/';
const ledgerPrefix = `${prefix}kwh/`;
const everyMs = 30_000;

export interface MemoryParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** What is written of rooms and of the allocation. */
  rooms(): Iterable<readonly [room: string, state: ControlState]>;
  allocation(): AllocationState;
}

type Known = Pick<ReadonlyMap<string, unknown>, 'has'>;

export class HeatMemory {
  readonly ledger = new Ledger();
  readonly controls = new Map<string, ControlState>();
  readonly models = new Map<string, PowerModel>();
  /** What plugs show beside how busy their machines are. */
  readonly learning = new Map<string, LearningState>();
  /** Nodes that were told of a filler last. */
  readonly fillers = new Set<string>();
  allocation: AllocationState = freshAllocation();
  readonly #parts: MemoryParts;
  readonly #texts = new Map<string, string>();
  #writtenAt: number;
  #writing = false;
  #closed: (() => void) | undefined;

  constructor(parts: MemoryParts) {
    this.#parts = parts;
    this.#writtenAt = parts.clock.now();
  }

  load(done: (error?: string) => void): void {
    this.#parts.store.read(prefix, (error, entries) => {
      if (error) {
        done(`what heating remembers cannot be read: ${error.message}`);
        return;
      }
      for (const [key, value] of entries) {
        if (key.startsWith(ledgerPrefix)) continue;
        this.#texts.set(key, value);
        this.#take(key.slice(prefix.length), parsed(value));
      }
      const kwh = entries.filter(([key]) => key.startsWith(ledgerPrefix));
      const left = this.ledger.load(kwh.map(([key, value]) => [key.slice(ledgerPrefix.length), value] as const));
      if (left > 0) this.#parts.log.warn({ left }, 'some counters of energy on disk are none, and begin anew');
      done();
    });
  }

  #take(key: string, value: unknown): void {
    const [kind, id = ''] = key.split('/');
    if (kind === 'room') this.controls.set(id, loadedControl(value));
    else if (kind === 'allocation') this.#takeAllocation(value);
    else if (kind === 'fillers') for (const node of Array.isArray(value) ? value : []) this.fillers.add(String(node));
    else if (kind === 'learning') this.learning.set(id, loadLearning(value));
    else if (kind === 'model' && typeof value === 'object' && value !== null && isModel(value as PowerModel))
      this.models.set(id, value as PowerModel);
  }

  /** Machines whose leases ended meanwhile are off. */
  #takeAllocation(value: unknown): void {
    const { wall, state } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
    const { clock } = this.#parts;
    const away = typeof wall === 'number' ? Math.max(0, clock.wall() - wall) : 0;
    this.allocation = loadAllocation(state, clock.now(), away);
  }

  /** Called every round. */
  tick(): void {
    if (this.#parts.clock.now() - this.#writtenAt >= everyMs) this.#write();
  }

  learned(node: string, model: PowerModel): void {
    this.models.set(node, model);
    this.#write();
  }

  forgetNode(node: string): void {
    this.models.delete(node);
    this.learning.delete(node);
    this.fillers.delete(node);
    this.ledger.forget(`node/${node}`);
  }

  forgetRoom(room: string): void {
    this.controls.delete(room);
    this.ledger.forget(`room/${room}`);
  }

  /** Who went, and this process with him before it was written, is forgotten now. */
  keepOnly(nodes: Known, rooms: Known): void {
    const written = [...this.ledger.keys()].map(key => key.split('/'));
    const ofNodes = [this.models, this.learning, this.fillers].flatMap(all => [...all.keys()]);
    const ofLedger = (noun: string) => written.flatMap(([kind, id = '']) => (kind === noun ? [id] : []));
    for (const id of new Set([...ofNodes, ...ofLedger('node')])) if (!nodes.has(id)) this.forgetNode(id);
    for (const id of new Set([...this.controls.keys(), ...ofLedger('room')])) if (!rooms.has(id)) this.forgetRoom(id);
  }

  stop(done: () => void): void {
    this.#closed = done;
    if (!this.#writing) this.#write();
  }

  #write(): void {
    if (this.#writing) return;
    this.#writing = true;
    const { store, clock, log } = this.#parts;
    this.#writtenAt = clock.now();
    const { seq, entries } = this.ledger.entries();
    const ops: StoreOp[] = entries.map(([key, mj]) =>
      mj === undefined ? { del: `${ledgerPrefix}${key}` } : { put: `${ledgerPrefix}${key}`, value: mj },
    );
    const texts = this.#news();
    for (const [key, text] of texts) ops.push(text === undefined ? { del: key } : { put: key, value: text });
    const over = (error?: Error) => {
      this.#writing = false;
      if (error) log.error({ error: error.message }, 'what heating counts cannot be written: it is tried again');
      else {
        this.ledger.persisted(seq);
        for (const [key, text] of texts)
          if (text === undefined) this.#texts.delete(key);
          else this.#texts.set(key, text);
      }
      this.#closed?.();
    };
    if (ops.length === 0) over();
    else store.write(ops, over);
  }

  /** Texts that differ from the disk's; undefined: to be deleted. */
  #news(): Map<string, string | undefined> {
    const { clock, allocation } = this.#parts;
    const all = new Map<string, string>();
    for (const [room, state] of this.#parts.rooms()) all.set(`${prefix}room/${room}`, JSON.stringify(state));
    all.set(`${prefix}allocation`, JSON.stringify({ wall: clock.wall(), state: allocation() }));
    if (this.fillers.size > 0) all.set(`${prefix}fillers`, JSON.stringify([...this.fillers]));
    for (const [node, state] of this.learning) all.set(`${prefix}learning/${node}`, JSON.stringify(state));
    for (const [node, model] of this.models) all.set(`${prefix}model/${node}`, JSON.stringify(model));
    const news = new Map<string, string | undefined>();
    for (const [key, text] of all) if (this.#texts.get(key) !== text) news.set(key, text);
    for (const key of this.#texts.keys()) if (!all.has(key)) news.set(key, undefined);
    return news;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
