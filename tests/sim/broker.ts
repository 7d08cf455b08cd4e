/**
 * An MQTT broker as far as races go: sessions by client id with takeover, wills, retained messages, subscriptions. Used
 * for both kinds: embedded (it lives in the supervisor's process, tells it of connections, strips retain, refuses what
 * breaks the direction rules, drops the will of a replaced connection) and outside (none of these; wills may come late).
 */
import { type Access, accessOf, underClientId } from '../../broker/access/principals.ts';
import { ruleOf, type TopicRule, whyNotWrite } from '../../broker/access/table.ts';
import { matches } from '../../shared/topics.ts';
import type { Process } from './clock.ts';
import type { Wire } from './network.ts';
import type { World } from './world.ts';

/** After its connection's end, on an outside broker. */
export const latestWillMs = 3000;

/** A message on its way; the bytes are made when somebody asks. */
export class Message {
  readonly topic: string;
  readonly text: string;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  #bytes: Uint8Array | undefined;

  constructor(topic: string, payload: string | Uint8Array, qos: 0 | 1, retain: boolean) {
    this.topic = topic;
    this.qos = qos;
    this.retain = retain;
    if (typeof payload === 'string') this.text = payload;
    else {
      this.#bytes = payload;
      this.text = Buffer.from(payload).toString('latin1');
    }
  }

  get bytes(): Uint8Array {
    this.#bytes ??= Buffer.from(this.text);
    return this.#bytes;
  }

  withRetain(retain: boolean): Message {
    return retain === this.retain ? this : new Message(this.topic, this.#bytes ?? this.text, this.qos, retain);
  }
}

export interface Will {
  readonly topic: string;
  readonly payload: string;
  readonly retain?: boolean;
}

/** One client connection at the broker. */
export class Session {
  readonly clientId: string;
  readonly serial: number;
  readonly wire: Wire;
  readonly will: Will | undefined;
  readonly deliver: (message: Message) => void;
  /** MQTT 5 No Local: does not hear what it published itself. */
  readonly noLocal: boolean;
  open = true;
  filters: readonly string[] = [];
  #known = new Map<string, boolean>();

  constructor(parts: Pick<Session, 'clientId' | 'serial' | 'wire' | 'will' | 'deliver' | 'noLocal'>) {
    this.clientId = parts.clientId;
    this.serial = parts.serial;
    this.wire = parts.wire;
    this.will = parts.will;
    this.deliver = parts.deliver;
    this.noLocal = parts.noLocal;
  }

  hears(topic: string): boolean {
    let heard = this.#known.get(topic);
    if (heard === undefined) {
      heard = this.filters.some(filter => matches(filter, topic));
      this.#known.set(topic, heard);
    }
    return heard;
  }

  subscribe(filters: readonly string[]): void {
    this.filters = filters;
    this.#known.clear();
  }
}

/** What the embedded broker tells the process it lives in. */
export interface Inside {
  message(message: Message, from: Session | string | undefined): void;
  connected(session: Session): void;
  disconnected(session: Session): void;
  refused(message: Message, from: Session | string, reason: string): void;
}

const rules = new Map<string, TopicRule>();

/** The embedded broker's direction table, remembered per topic as its router does. */
export function ruleFor(topic: string, base: string): TopicRule {
  let rule = rules.get(topic);
  if (rule === undefined) {
    if (rules.size > 10_000) rules.clear();
    rule = ruleOf(topic, base);
    rules.set(topic, rule);
  }
  return rule;
}

const accesses = new Map<string, Access>();

/** Everybody here is on the supervisor's machine: an admin, or a node by its client id. */
export function accessFor(clientId: string, base: string): Access {
  let access = accesses.get(clientId);
  if (access === undefined) {
    const principal = underClientId({ role: 'admin', name: 'owner', how: 'owner' }, base, clientId);
    if (typeof principal === 'string') throw new Error(principal);
    if (accesses.size > 10_000) accesses.clear();
    access = accessOf(principal);
    accesses.set(clientId, access);
  }
  return access;
}

export class Broker {
  readonly process: Process;
  readonly retained: Map<string, Message>;
  readonly sessions = new Map<string, Session>();
  listening = false;
  inside: Inside | undefined;
  #world: World;
  #kind: 'embedded' | 'outside';
  #serial = 0;
  /** The newest serial of each client id, ended or not. */
  #newest = new Map<string, number>();

  constructor(world: World, kind: 'embedded' | 'outside', process: Process, retained: Map<string, Message>) {
    this.#world = world;
    this.#kind = kind;
    this.process = process;
    this.retained = retained;
  }

  /** CONNECT has arrived. */
  connect(parts: Pick<Session, 'clientId' | 'wire' | 'will' | 'deliver' | 'noLocal'>): Session {
    const session = new Session({ ...parts, serial: ++this.#serial });
    this.#world.note('broker', `CONNECT ${session.clientId} #${session.serial}`);
    const old = this.sessions.get(session.clientId);
    this.sessions.set(session.clientId, session);
    this.#newest.set(session.clientId, session.serial);
    if (old) {
      old.open = false;
      old.wire.close('server', true);
      this.#publishWill(old);
    }
    this.inside?.connected(session);
    return session;
  }

  subscribe(session: Session, filters: readonly string[]): void {
    if (!session.open) return;
    const before = new Set(session.filters);
    session.subscribe(filters);
    const fresh = filters.filter(filter => !before.has(filter));
    for (const message of this.retained.values()) {
      if (fresh.some(filter => matches(filter, message.topic))) this.#send(session, message);
    }
  }

  /** The connection ended; `graceful` after DISCONNECT. */
  ended(session: Session, graceful: boolean, why: string): void {
    if (!session.open) return;
    session.open = false;
    this.#world.note('broker', `gone ${session.clientId} #${session.serial}: ${why}`);
    if (this.sessions.get(session.clientId) === session) this.sessions.delete(session.clientId);
    const willFirst = this.#world.dice.broker.chance(0.5);
    if (!graceful && willFirst) this.#publishWill(session);
    this.inside?.disconnected(session);
    if (!graceful && !willFirst) this.#publishWill(session);
  }

  #publishWill(session: Session): void {
    const { will } = session;
    if (!will) return;
    const { dice, weather } = this.#world;
    const late = dice.broker.chance(weather.lateWills) ? dice.broker.between(0, latestWillMs) : 0;
    const publish = () => {
      const replaced = this.#newest.get(session.clientId) !== session.serial;
      // The embedded broker fences; what an outside one does with late wills is its own business.
      if (replaced && this.#kind === 'embedded') return;
      this.publish(new Message(will.topic, will.payload, 1, will.retain ?? false), session);
    };
    if (late === 0) publish();
    else this.#world.timeline.after(late, () => this.process.arrive(session, publish));
  }

  /** `from` is a session, the name of a person, or undefined for the supervisor inside. */
  publish(message: Message, from: Session | string | undefined): void {
    const world = this.#world;
    const who = typeof from === 'string' ? from : from?.clientId;
    world.note(who ?? 'supervisor', `${message.retain ? 'retained ' : ''}${message.topic} ${message.text}`);
    if (who !== undefined && this.#kind === 'embedded') {
      const reason = whyNotWrite(ruleFor(message.topic, world.base), accessFor(who, world.base));
      if (reason !== undefined) {
        world.observe.refused(message, who);
        this.inside?.refused(message, from ?? '', reason);
        return;
      }
    }
    if (world.breaks === 'lost-offline' && message.topic.endsWith('/status') && message.text === 'offline') return;
    if (world.breaks === 'deaf-broker' && /\/node\/[^/]+\/(lwt|load|heartbeat)$/.test(message.topic)) return;
    const retain = message.retain && !(this.#kind === 'embedded' && ruleFor(message.topic, world.base).stripRetain);
    if (retain) {
      if (message.text === '') this.retained.delete(message.topic);
      else this.retained.set(message.topic, message);
    }
    world.observe.published(message, who);
    if (world.breaks === 'phantom-wills' && typeof from === 'object' && world.dice.broker.chance(0.02)) {
      this.#publishWill(from);
    }
    const live = message.withRetain(false);
    for (const session of this.sessions.values()) {
      if (session === from && session.noLocal) continue;
      if (session.hears(message.topic)) this.#send(session, live);
    }
    // The embedded broker tells by the flag that a publisher set it, though the copy was not kept.
    this.inside?.message(message, from);
  }

  #send(session: Session, message: Message): void {
    const { dice, weather } = this.#world;
    if (message.qos === 0 && dice.broker.chance(weather.loseQos0)) return;
    session.wire.send('client', () => session.deliver(message));
  }

  /** The broker's process is gone. `power`: its machine too, and nobody gets so much as a FIN. */
  die(power: boolean): void {
    this.listening = false;
    this.inside = undefined;
    for (const session of this.sessions.values()) {
      session.open = false;
      if (power) session.wire.vanish('server');
      else session.wire.close('server', true);
    }
    this.sessions.clear();
  }
}
