/**
 * Tells Home Assistant what there is, on up to two brokers. The adapter: a board per broker decides (board.ts), this has
 * the clock, the store and the outlets.
 */
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import { decodeText } from '../../shared/codec.ts';
import type { Log } from '../../shared/log.ts';
import type { Store, StoreOp } from '../../shared/store.ts';
import { Board } from './board.ts';
import type { BoardEffect, Kept } from './board-events.ts';
import { configTopic, nodeObject, roomObject } from './ids.ts';
import { mostBytes } from './on-broker.ts';
import { type Outlet, type OutletName, outletNames } from './outlet.ts';
import { Announcements, silentTopics } from './payload.ts';
import type { HaView } from './view.ts';

export interface HomeAssistantParts {
  readonly base: string;
  /** `off`: nothing is announced, and what was is cleared. */
  readonly prefix: string;
  /** Fingerprint of the cluster's key. */
  readonly cluster: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Keys below `ha/` are this part's own. */
  readonly store: Store;
  /** All rooms and nodes that there are; asked only while {@link maySpeak} says so, and then complete. */
  view(): Omit<HaView, 'base' | 'prefix' | 'cluster'>;
  maySpeak(): boolean;
  /** Whether messages on this topic get over that outlet; absent: all do. */
  carries?(outlet: OutletName, topic: string): boolean;
}

/** Changes are gathered for so long before anything is worked out, and that not more often than every `everyMs`. */
const gatherMs = 1000;
const everyMs = 5000;
/** Devices whose announcement is made in one turn of the loop. */
const perTurn = 20;
const storeHead = 'ha/';

type Reading = ReturnType<Announcements['read']>;

export class HomeAssistant {
  readonly #parts: HomeAssistantParts;
  readonly #outlets = new Map<OutletName, Outlet>();
  readonly #boards: ReadonlyMap<OutletName, Board>;
  readonly #announcements: Readonly<Record<OutletName, Announcements>> = {
    own: new Announcements(),
    uplink: new Announcements(),
  };
  #loaded = false;
  #stopped = false;
  /** Something changed since the view that is worked on was asked for. */
  #stale = false;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #look: Timer | undefined;
  #step: Timer | undefined;

  constructor(given: HomeAssistantParts) {
    // Home Assistant's birth would be the supervisor's status, and its announcements Hearth's own topics.
    const isBase = given.prefix === given.base;
    const parts = isBase ? { ...given, prefix: 'off' } : given;
    if (isBase) {
      const text = `nothing is announced to Home Assistant: the discovery prefix "${given.prefix}" is the topic base, choose another one`;
      given.log.error({ prefix: given.prefix }, text);
    }
    this.#parts = parts;
    this.#boards = new Map(outletNames.map(name => [name, new Board(parts.prefix, parts.cluster)]));
    parts.store.read(storeHead, (error, entries) => {
      if (this.#stopped) return;
      if (error) parts.log.error({ error: error.message }, 'what Home Assistant was told cannot be read');
      for (const [key, value] of entries) this.#load(key, value);
      this.#loaded = true;
      this.changed();
    });
  }

  /** What is to be subscribed to on every outlet, before it is attached or after; {@link take} gets what comes, retained or live. */
  filters(): readonly string[] {
    const { prefix } = this.#parts;
    return prefix === 'off' ? [] : [`${prefix}/status`, `${prefix}/device/+/config`];
  }

  /** The broker is reached, and the filters are subscribed to. At every reconnect, after a `detach`. */
  attach(outlet: Outlet): void {
    this.#outlets.set(outlet.name, outlet);
    this.#board(outlet.name).attach(this.#parts.clock.now());
    this.changed();
  }

  /** The broker is gone. */
  detach(outlet: Pick<Outlet, 'name'>): void {
    this.#outlets.delete(outlet.name);
    this.#board(outlet.name).detach();
  }

  /** A message on one of the filters; of anybody, and of any size. */
  take(name: OutletName, topic: string, payload: Uint8Array, _retain: boolean): void {
    const { prefix, clock, random } = this.#parts;
    if (this.#stopped || prefix === 'off') return;
    const now = clock.now();
    const board = this.#board(name);
    if (topic === `${prefix}/status`) {
      if (payload.length === 6 && Buffer.from(payload).toString() === 'online') board.birth(now, random.next());
    } else if (topic.startsWith(`${prefix}/`)) {
      const text = decodeText(payload, mostBytes);
      this.#carryOut(name, board.heard(topic, text.ok ? text.value : undefined, now, clock.wall()));
    }
    this.#arm();
  }

  /** Rooms, nodes, what they have or what they are called may be others than before. Cheap: say it as often as you like. */
  changed(): void {
    this.#stale = true;
    if (this.#stopped || !this.#loaded || this.#look || this.#outlets.size === 0) return;
    const { clock } = this.#parts;
    const wait = Math.max(gatherMs, this.#lookedAt + everyMs - clock.now());
    this.#look = clock.after(wait, () => {
      this.#look = undefined;
      this.#lookAtAll();
    });
  }

  /** A room or node was forgotten: one of the same id that is made later is announced, whatever became of this one. */
  forgotten(noun: 'room' | 'node', id: string): void {
    const { prefix, cluster } = this.#parts;
    const topic = configTopic(prefix, noun === 'room' ? roomObject(cluster, id) : nodeObject(cluster, id));
    for (const [name, board] of this.#boards) this.#carryOut(name, board.forgotten(topic));
    this.changed();
  }

  /** Announces everything anew, what people removed in Home Assistant too. */
  rediscover(): void {
    const now = this.#parts.clock.now();
    for (const [name, board] of this.#boards) this.#carryOut(name, board.rediscover(now));
    this.changed();
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#look?.cancel();
    this.#step?.cancel();
  }

  #board(name: OutletName): Board {
    const board = this.#boards.get(name);
    if (!board) throw new Error(`there is no outlet "${name}"`);
    return board;
  }

  #lookAtAll(): void {
    const { clock, base, prefix, cluster } = this.#parts;
    this.#lookedAt = clock.now();
    this.#stale = false;
    if (!this.#parts.maySpeak()) {
      this.changed();
      return;
    }
    const view: HaView = { ...this.#parts.view(), base, prefix, cluster };
    this.#turn(view, [...this.#outlets.keys()]);
  }

  /** A fleet's first announcements take a second to make: piece by piece, so that nobody waits for them. */
  #turn(view: HaView, [name, ...others]: readonly OutletName[], running?: Reading): void {
    if (name === undefined) {
      this.#arm();
      if (this.#stale) this.changed();
      return;
    }
    const board = this.#board(name);
    const { clock, carries } = this.#parts;
    const reading =
      running ??
      this.#announcements[name].read(view, {
        known: topic => board.known(topic),
        ...(carries && { carries: topic => carries(name, topic) }),
      });
    for (let made = 0; made < perTurn; made++) {
      const step = reading.next();
      if (!step.done) continue;
      board.want(step.value, silentTopics(view), clock.now());
      this.#turn(view, others);
      return;
    }
    this.#look = clock.after(0, () => {
      this.#look = undefined;
      this.#turn(view, [name, ...others], reading);
    });
  }

  #arm(): void {
    this.#step?.cancel();
    const { clock } = this.#parts;
    const at = Math.min(...[...this.#outlets.keys()].map(name => this.#board(name).deadline()));
    if (this.#stopped || !Number.isFinite(at)) return;
    this.#step = clock.after(Math.max(0, at - clock.now()), () => this.#stepAll());
  }

  #stepAll(): void {
    const { clock, maySpeak } = this.#parts;
    if (!maySpeak()) {
      this.#step = clock.after(gatherMs, () => this.#stepAll());
      return;
    }
    for (const name of [...this.#outlets.keys()]) {
      this.#carryOut(name, this.#board(name).step(clock.now(), clock.wall()));
    }
    this.#arm();
  }

  #carryOut(name: OutletName, effects: readonly BoardEffect[]): void {
    const { log, store } = this.#parts;
    const ops: StoreOp[] = [];
    for (const effect of effects) {
      switch (effect.type) {
        case 'publish':
          this.#outlets.get(name)?.publish(effect.topic, effect.text, { retain: true, qos: 1 });
          break;
        case 'keep':
          ops.push({ put: keyOf(effect.what, name, effect.topic), value: String(effect.atMs) });
          break;
        case 'drop':
          ops.push({ del: keyOf(effect.what, name, effect.topic) });
          break;
        case 'removed':
          log.info({ outlet: name, topic: effect.topic }, 'removed in Home Assistant, and not announced again');
          break;
      }
    }
    if (ops.length === 0) return;
    store.write(ops, error => {
      if (error) log.error({ error: error.message }, 'what Home Assistant was told cannot be written');
    });
  }

  #load(key: string, value: string): void {
    const [, what, name, ...topic] = key.split('/');
    const board = this.#boards.get(name as OutletName);
    if (board && (what === 'removed' || what === 'told')) board.load(what, topic.join('/'), Number(value) || 0);
  }
}

/** `ha/removed/uplink/homeassistant/device/…/config`. */
const keyOf = (what: Kept, name: OutletName, topic: string): string => `${storeHead}${what}/${name}/${topic}`;
