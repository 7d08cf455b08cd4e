/** Carries out what the presence core decides: statuses, events, orders, and a document for everybody seen. */
import type { Clock } from '../../shared/clock.ts';
import { sameJson } from '../../shared/same-json.ts';
import type { Given } from '../desired/compile.ts';
import type { Journal } from '../desired/journal.ts';
import type { Orders, Session } from '../orders/orders.ts';
import type { Projection } from '../projection.ts';
import type { Events } from './events.ts';
import { step } from './presence.ts';
import {
  isDecided,
  isOnline,
  type PresenceEffect,
  type PresenceEvent,
  type PresenceState,
  sessionOf,
} from './presence-state.ts';
import type { FleetView } from './view.ts';

export interface AttendanceParts {
  readonly clock: Clock;
  readonly state: PresenceState;
  readonly view: FleetView;
  readonly events: Events;
  readonly journal: Journal;
  readonly projection: Projection;
  /** What was decided about the machine when it joined. */
  given(node: string): Given | undefined;
  /** Whether this supervisor may speak (authority-standing.ts). */
  maySpeak(): boolean;
  orders(): Orders;
  /** A node's session may be another one than before. */
  turned(node: string): void;
}

export class Attendance {
  readonly #parts: AttendanceParts;
  /** Nodes whose first sight could not be journalled yet. */
  readonly #unseen = new Set<string>();

  constructor(parts: AttendanceParts) {
    this.#parts = parts;
  }

  notice = (event: PresenceEvent): void => {
    const { state, clock } = this.#parts;
    const effects = step(state, event, clock.now());
    if (!this.#parts.maySpeak()) return;
    for (const effect of effects) this.#act(effect);
    // A session that takes over from another one of its node makes no effect.
    if ('node' in event) this.#parts.turned(event.node);
  };

  isOnline = (node: string): boolean => isOnline(this.#parts.state, node);
  session = (node: string): Session | undefined => sessionOf(this.#parts.state, node);

  /**
   * The status to be retained of a node. Undefined, which leaves what is there: outside and just started (`first`), or
   * nobody has judged the node yet; who is there shows when they answer.
   */
  standing(node: string, first: boolean): 'online' | 'offline' | undefined {
    const { state } = this.#parts;
    if (isOnline(state, node)) return 'online';
    return state.kind === 'outside' && (first || !isDecided(state, node)) ? undefined : 'offline';
  }

  /** Nodes that are known and not in the journal yet: the sync is under way, or the disk is full. */
  unjournalled(): string[] {
    const { state, journal } = this.#parts;
    return [...state.nodes.keys()].filter(node => !journal.durable.has(node));
  }

  /** Tries again to journal who could not be (the disk was full). */
  retry(): void {
    const again = [...this.#unseen];
    this.#unseen.clear();
    for (const node of again) this.#see(node);
  }

  #act(effect: PresenceEffect): void {
    const { events, orders } = this.#parts;
    switch (effect.type) {
      case 'online':
        this.#turn(effect.node, true);
        events.emit('info', 'node-online', `${effect.node} is online`, effect.node);
        this.#see(effect.node);
        break;
      case 'offline':
        this.#turn(effect.node, false);
        events.emit('warn', 'node-offline', `${effect.node} is offline: ${effect.why}`, effect.node);
        orders().offline(effect.node);
        break;
      case 'cmd': {
        const { node, inst, epoch, verb, args } = effect;
        orders().command(node, { inst, epoch }, verb, args);
        break;
      }
      case 'event':
        events.emit('warn', effect.kind, effect.text, effect.node);
        break;
    }
  }

  #turn(node: string, online: boolean): void {
    this.#parts.view.put(node, { online, since_ms: this.#parts.clock.wall() });
    this.#parts.projection.status(node, online ? 'online' : 'offline');
    this.#parts.turned(node);
  }

  /**
   * A node's first birth makes it a document, an empty one, so that it has a `want` and can be addressed. What was
   * decided when it joined, perhaps anew since then, is kept beside that.
   */
  #see(node: string): void {
    const { journal, clock } = this.#parts;
    if (!this.isOnline(node)) return;
    const known = journal.nodes.get(node);
    const given = this.#parts.given(node);
    if (known && (given === undefined || sameJson(given, known.given ?? {}))) return;
    const entry = { ...(known ?? { document: {} }), ...(given === undefined ? {} : { given }) };
    journal.submit({ noun: 'node', id: node, entry, what: 'seen', atMs: clock.wall() }, error => {
      if (error) this.#unseen.add(node);
    });
  }
}
