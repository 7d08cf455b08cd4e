/** The Bus seam on the simulated broker: inside the supervisor's process, or as a client of a broker elsewhere. */

import type { Bus, BusConnection, BusHandlers, BusMessage, PublishOptions } from '../../shared/bus.ts';
import { beside } from '../../shared/bus-filters.ts';
import { fullJitter } from '../../shared/clock.ts';
import { matches } from '../../shared/topics.ts';
import { type Broker, Message, type Session } from './broker.ts';
import { Client } from './client.ts';
import type { Process } from './clock.ts';
import type { Path } from './network.ts';
import type { World } from './world.ts';

const connectionOf = (session: Session): BusConnection => ({ serial: session.serial, clientId: session.clientId });

/** As the embedded broker does it: routed at once, heard at once, `done` in a later turn of the loop. */
export class EmbeddedBus implements Bus {
  readonly kind = 'embedded';
  #world: World;
  #process: Process;
  #broker: Broker;
  /** People have no session in the simulation; each gets a connection number all the same. */
  #people = new Map<string, BusConnection>();
  #filters: readonly string[] | undefined;
  #wanted: readonly string[] = [];
  #more: readonly string[] = [];
  #handlers: BusHandlers | undefined;
  #heard = new Map<string, boolean>();

  constructor(world: World, process: Process, broker: Broker) {
    this.#world = world;
    this.#process = process;
    this.#broker = broker;
  }

  start(filters: readonly string[], handlers: BusHandlers): void {
    this.#filters = filters;
    this.#handlers = handlers;
    this.#more = beside(filters, this.#wanted).hear;
    this.#broker.inside = {
      message: (message, from) => {
        // What the supervisor publishes inside its own process does not come back to it.
        if (from !== undefined && this.#hears(message.topic)) handlers.message(this.#incoming(message, from));
      },
      connected: session => handlers.connected?.(connectionOf(session)),
      disconnected: session => handlers.disconnected?.(connectionOf(session)),
      refused: (message, from, reason) => handlers.refused?.(this.#incoming(message, from), reason),
    };
    this.#process.clock.after(0, () => {
      handlers.up();
      this.#replay([...filters, ...this.#more]);
    });
  }

  also(filters: readonly string[]): void {
    this.#wanted = [...filters];
    if (!this.#filters) return;
    const before = new Set(this.#more);
    this.#more = beside(this.#filters, filters).hear;
    this.#heard.clear();
    const fresh = this.#more.filter(filter => !before.has(filter));
    if (fresh.length > 0) this.#process.clock.after(0, () => this.#replay(fresh));
  }

  #hears(topic: string): boolean {
    let known = this.#heard.get(topic);
    if (known === undefined) {
      known = [...(this.#filters ?? []), ...this.#more].some(filter => matches(filter, topic));
      this.#heard.set(topic, known);
    }
    return known;
  }

  #replay(filters: readonly string[]): void {
    for (const { topic, bytes, qos } of [...this.#broker.retained.values()]) {
      if (!filters.some(filter => matches(filter, topic))) continue;
      this.#handlers?.message({ topic, payload: bytes, qos, retain: true });
    }
  }

  #incoming(message: Message, from: Session | string): BusMessage {
    const { topic, bytes, qos, retain } = message;
    return {
      topic,
      payload: bytes,
      qos,
      retain,
      from: typeof from === 'string' ? this.#person(from) : connectionOf(from),
    };
  }

  #person(clientId: string): BusConnection {
    let known = this.#people.get(clientId);
    if (!known) {
      known = { serial: 1_000_000 + this.#people.size, clientId };
      this.#people.set(clientId, known);
    }
    return known;
  }

  publish(topic: string, payload: string | Uint8Array, options: PublishOptions, done?: (error?: Error) => void): void {
    if (!this.#process.alive) return;
    this.#broker.publish(new Message(topic, payload, options.qos, options.retain ?? false), undefined);
    if (done) this.#process.clock.after(0, () => done());
  }

  kick(connection: BusConnection, reason: string): void {
    const session = this.#broker.sessions.get(connection.clientId);
    if (session?.serial !== connection.serial) return;
    this.#world.note('broker', `kick ${connection.clientId} #${connection.serial}: ${reason}`);
    session.wire.close('server', true);
    this.#broker.ended(session, true, reason);
  }

  stop(done: () => void): void {
    this.#broker.die(false);
    this.#process.clock.after(0, done);
  }
}

const most = 1000;

interface Waiting {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly options: PublishOptions;
  readonly done: ((error?: Error) => void) | undefined;
}

/**
 * As the adapter to an outside broker does it: reconnects by itself with jitter; QoS 1 waits while there is no connection
 * and what was not acknowledged is sent again, so it may arrive twice; QoS 0 fails at once.
 */
export class OutsideBus implements Bus {
  readonly kind = 'outside';
  #world: World;
  #process: Process;
  #client: Client;
  #clientId: string;
  #waiting: Waiting[] = [];
  #underWay = new Set<Waiting>();
  #filters: readonly string[] = [];
  #wanted: readonly string[] = [];
  #handlers: BusHandlers | undefined;
  #attempt = 0;
  #stopped: (() => void) | undefined;
  #noLocal: boolean;

  constructor(world: World, process: Process, path: Path, clientId: string, noLocal: boolean) {
    this.#world = world;
    this.#process = process;
    this.#client = new Client(world, process, path);
    this.#clientId = clientId;
    this.#noLocal = noLocal;
  }

  get up(): boolean {
    return this.#client.up;
  }

  start(filters: readonly string[], handlers: BusHandlers): void {
    this.#filters = filters;
    this.#handlers = handlers;
    this.#connect();
  }

  also(filters: readonly string[]): void {
    this.#wanted = [...filters];
    this.#client.subscribe(this.#all);
  }

  get #all(): readonly string[] {
    return [...this.#filters, ...beside(this.#filters, this.#wanted).hear];
  }

  #connect(): void {
    const will = { topic: `${this.#world.base}/status`, payload: 'offline', retain: true };
    const wanted = this.#wanted;
    this.#client.connect(
      { clientId: this.#clientId, will, filters: this.#all, keepaliveMs: 3000, noLocal: this.#noLocal },
      {
        up: () => {
          this.#attempt = 0;
          // Said while the connection came about.
          if (this.#wanted !== wanted) this.#client.subscribe(this.#all);
          this.#pump();
          this.#handlers?.up();
        },
        down: why => this.#down(why),
        message: ({ topic, bytes, qos, retain }) => this.#handlers?.message({ topic, payload: bytes, qos, retain }),
      },
    );
  }

  #down(why: string): void {
    this.#waiting.unshift(...[...this.#underWay].filter(entry => entry.options.qos === 1));
    this.#underWay.clear();
    if (this.#stopped) {
      this.#stopped();
      return;
    }
    const wait = fullJitter(this.#attempt++, 500, 10_000, this.#world.dice.network);
    this.#process.clock.after(wait, () => this.#connect());
    this.#handlers?.down(why);
  }

  publish(topic: string, payload: string | Uint8Array, options: PublishOptions, done?: (error?: Error) => void): void {
    if (!this.#process.alive || this.#stopped) return;
    if (options.qos === 0 && !this.#client.up) {
      this.#process.clock.after(0, () => done?.(new Error('there is no connection to the broker')));
      return;
    }
    if (this.#waiting.length >= most) this.#waiting.shift()?.done?.(new Error('the outbox is full'));
    this.#waiting.push({ topic, payload, options, done });
    this.#pump();
  }

  #pump(): void {
    while (this.#client.up) {
      const entry = this.#waiting.shift();
      if (!entry) return;
      const { topic, payload, options, done } = entry;
      if (options.qos === 1) this.#underWay.add(entry);
      this.#client.publish(topic, payload, options.qos, options.retain ?? false, error => {
        if (!error && this.#underWay.delete(entry)) done?.();
      });
      if (options.qos === 0 && done) this.#process.clock.after(0, () => done());
    }
  }

  kick(): void {}

  stop(done: () => void): void {
    this.#stopped = done;
    if (this.#client.up) this.#client.close(true);
    else this.#process.clock.after(0, done);
  }

  die(power: boolean): void {
    this.#client.die(power);
  }
}
