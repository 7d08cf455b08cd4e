/** The retained topics as a projection of the journal: written again whole at every start and reconnect. */
import type { Bus } from '../shared/bus.ts';
import type { Log } from '../shared/log.ts';
import { topicsOf } from '../shared/topics.ts';
import type { Authority } from './authority.ts';
import type { NodeEntry } from './desired/compile.ts';
import type { Journal } from './desired/journal.ts';

/** Publishes under way at a time, so that a broker far away is not flooded with a whole fleet's documents. */
const window = 64;

export class Projection {
  readonly #bus: Bus;
  readonly #log: Log;
  readonly #authority: Authority;
  readonly #journal: Journal;
  readonly #topics: ReturnType<typeof topicsOf>;
  /** Wants sealed ahead of their publication. */
  readonly #sealed = new WeakMap<NodeEntry, string>();

  constructor(base: string, bus: Bus, log: Log, authority: Authority, journal: Journal) {
    this.#bus = bus;
    this.#log = log;
    this.#authority = authority;
    this.#journal = journal;
    this.#topics = topicsOf(base);
  }

  status(node: string, status: 'online' | 'offline', done?: () => void): void {
    this.#retain(this.#topics.node(node, 'status'), status, done);
  }

  /** Seals the `want` of each node while its entry is being synced. Nothing is published. */
  prepare(touched: ReadonlyMap<string, NodeEntry | undefined>): void {
    for (const [node, entry] of touched) {
      if (entry) this.#sealed.set(entry, this.#authority.want(node, entry, this.#journal.gen));
    }
  }

  /** A node's `own` and `want`. The entry must be synced. */
  document(node: string, entry: NodeEntry, done?: () => void): void {
    const sealed = this.#sealed.get(entry);
    this.#sealed.delete(entry);
    this.#retain(this.#topics.node(node, 'want'), sealed ?? this.#authority.want(node, entry, this.#journal.gen));
    this.#retain(this.#topics.node(node, 'own'), JSON.stringify(entry), done);
  }

  /** Removes everything retained of a node that was forgotten. */
  clear(node: string): void {
    for (const part of ['own', 'want', 'is', 'info', 'status'] as const) {
      this.#retain(this.#topics.node(node, part), '');
    }
  }

  /** @param statusOf what to say of a node; undefined says nothing. */
  everything(statusOf: (node: string) => 'online' | 'offline' | undefined, done: () => void): void {
    const nodes = [...this.#journal.durable.keys()];
    let next = 0;
    let running = 0;
    let pumping = false;
    const pump = () => {
      // `done` of an embedded broker may run inside publish: the loop goes on instead of nesting.
      if (pumping) return;
      pumping = true;
      while (running < window && next < nodes.length) {
        const node = nodes[next++];
        const entry = node === undefined ? undefined : this.#journal.durable.get(node);
        if (node === undefined || !entry) continue;
        running++;
        const status = statusOf(node);
        if (status) this.status(node, status);
        this.document(node, entry, () => {
          running--;
          pump();
        });
      }
      pumping = false;
      if (running === 0 && next >= nodes.length) done();
    };
    pump();
  }

  #retain(topic: string, payload: string, done?: () => void): void {
    this.#bus.publish(topic, payload, { qos: 1, retain: true }, error => {
      // An outside broker that is gone: everything is projected again when it is back.
      if (error) this.#log.debug({ topic, error: error.message }, 'not published');
      done?.();
    });
  }
}
