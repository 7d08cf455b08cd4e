/** The retained topics as a projection of the journal: written again whole at every start and reconnect. */
import type { Bus } from '../shared/bus.ts';
import type { Clock } from '../shared/clock.ts';
import type { Log } from '../shared/log.ts';
import { topicsOf } from '../shared/topics.ts';
import type { Authority } from './authority.ts';
import type { NodeEntry, RoleEntry } from './desired/compile.ts';
import type { Journal, Touched } from './desired/journal.ts';
import type { Wants } from './desired/wants.ts';
import { failedText, roleIs } from './rollout/shown.ts';

/** Publishes under way at a time, so that a broker far away is not flooded with a whole fleet's documents. */
const window = 64;
/** Documents sealed in one turn of the loop, when a role's change touches many nodes: some 5 ms. */
const perTurn = 50;

export interface ProjectionParts {
  readonly base: string;
  readonly bus: Bus;
  readonly log: Log;
  readonly clock: Clock;
  readonly authority: Authority;
  readonly journal: Journal;
  readonly wants: Wants;
}

export class Projection {
  readonly #parts: ProjectionParts;
  readonly #topics: ReturnType<typeof topicsOf>;
  /** Wants sealed ahead of their publication. */
  readonly #sealed = new WeakMap<NodeEntry, string>();
  /** Nodes whose documents a role's change touched and that were not told yet. */
  readonly #waiting = new Set<string>();
  /** Of each role the entry that was told last. */
  readonly #toldOfRoles = new Map<string, RoleEntry>();

  constructor(parts: ProjectionParts) {
    this.#parts = parts;
    this.#topics = topicsOf(parts.base);
  }

  status(node: string, status: 'online' | 'offline' | undefined, done?: () => void): void {
    if (status === undefined) return;
    this.#retain(this.#topics.node(node, 'status'), status, done);
  }

  /** Seals the `want` of each node while its entry is being synced. Nothing is published. */
  prepare({ nodes, roles }: Touched): void {
    // With a role's word in the batch, what it is compiled from is not on stable storage yet.
    if (roles.size > 0) return;
    for (const [node, entry] of nodes) if (entry) this.#sealed.set(entry, this.#want(node, entry));
  }

  #want(node: string, entry: NodeEntry): string {
    const { authority, wants, journal } = this.#parts;
    return authority.want(node, wants.compiled(node, entry), journal.gen);
  }

  /** A node's `own` and `want`. The entry must be synced. */
  document(node: string, entry: NodeEntry, done?: () => void): void {
    const sealed = this.#sealed.get(entry);
    this.#sealed.delete(entry);
    this.#waiting.delete(node);
    this.#retain(this.#topics.node(node, 'want'), sealed ?? this.#want(node, entry));
    this.#retain(this.#topics.node(node, 'own'), ownOf(entry), done);
  }

  /** The documents of nodes that a role's change touched: the first at once, the others turn by turn. */
  documents(nodes: Iterable<string>): void {
    const idle = this.#waiting.size === 0;
    for (const node of nodes) this.#waiting.add(node);
    if (idle) this.#tellWaiting();
  }

  #tellWaiting(): void {
    let told = 0;
    for (const node of this.#waiting) {
      if (told++ === perTurn) break;
      this.#waiting.delete(node);
      const entry = this.#parts.journal.durable.get(node);
      if (entry) this.document(node, entry);
    }
    if (this.#waiting.size > 0) this.#parts.clock.after(0, () => this.#tellWaiting());
  }

  /** A role's `own`, and how its last change is, or was, rolled out. The entry must be synced. */
  role(role: string, entry: RoleEntry): void {
    const { document, rev, gone, rollout } = entry;
    const told = this.#toldOfRoles.get(role);
    this.#toldOfRoles.set(role, entry);
    const say = (part: 'own' | 'is' | 'failed', text: string) =>
      this.#retain(this.#topics.of('role', role, part), text);
    // A step of a rollout leaves most of it as it is.
    if (told?.document !== document || told.rev !== rev) say('own', gone ? '' : ownOf({ document, rev }));
    if (told?.rollout !== rollout || !told) say('is', rollout ? JSON.stringify(roleIs(role, rollout)) : '');
    if (told?.rollout?.lost !== rollout?.lost || !told) say('failed', rollout ? failedText(rollout) : '');
  }

  /** Removes everything retained of a node that was forgotten. */
  clear(node: string): void {
    for (const part of ['own', 'want', 'is', 'info', 'status'] as const) {
      this.#retain(this.#topics.node(node, part), '');
    }
  }

  /** @param statusOf what to say of a node; undefined says nothing. */
  everything(statusOf: (node: string) => 'online' | 'offline' | undefined, done: () => void): void {
    const { journal } = this.#parts;
    this.#waiting.clear();
    this.#toldOfRoles.clear();
    for (const [role, entry] of journal.durableRoles) this.role(role, entry);
    const nodes = [...journal.durable.keys()];
    let next = 0;
    let running = 0;
    let pumping = false;
    const pump = () => {
      // `done` of an embedded broker may run inside publish: the loop goes on instead of nesting.
      if (pumping) return;
      pumping = true;
      while (running < window && next < nodes.length) {
        const node = nodes[next++];
        const entry = node === undefined ? undefined : journal.durable.get(node);
        if (node === undefined || !entry) continue;
        running++;
        this.status(node, statusOf(node));
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
    const { bus, log } = this.#parts;
    bus.publish(topic, payload, { qos: 1, retain: true }, error => {
      // An outside broker that is gone: everything is projected again when it is back.
      if (error) log.debug({ topic, error: error.message }, 'not published');
      done?.();
    });
  }
}

/** `own` as published. What a node runs is always there, so that who reads it need not ask. */
const ownOf = ({ document, rev }: NodeEntry | RoleEntry): string => JSON.stringify({ services: {}, ...document, rev });
