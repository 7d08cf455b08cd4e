/** The supervisor's end of the embedded broker: no client, no socket, the router is called and calls. */

import type { Bus, BusConnection, BusHandlers, BusMessage, PublishOptions } from '../../shared/bus.ts';
import { beside } from '../../shared/bus-filters.ts';
import type { Clients } from './clients.ts';
import type { Connection } from './connection.ts';
import type { Registry, Told } from './registry.ts';
import type { Retained, RetainedMessages } from './retained.ts';
import type { Routed, Router } from './router.ts';

/** Retained copies handed over in one turn of the event loop. */
const copiesPerTurn = 50;

/** Empty before and after: nobody is listening. */
const deaf: BusHandlers = { message() {}, up() {}, down() {} };

export class LocalBus implements Bus, Told {
  readonly kind = 'embedded';
  private handlers: BusHandlers = deaf;
  private fixed: readonly string[] = [];
  private wanted: readonly string[] = [];
  /** Heard beside the fixed ones. */
  private more: readonly string[] = [];
  private started = false;
  /** `up` was said. */
  private ready = false;
  private stopped = false;
  private router: Router | undefined;
  private clients: Clients | undefined;
  private retained: RetainedMessages | undefined;
  private wall: () => number = Date.now;
  private hearing = false;
  private later: (() => void)[] = [];

  /** @param wall wall-clock milliseconds, for retained messages that have expired. */
  connect(router: Router, clients: Clients, retained: RetainedMessages, wall: () => number): void {
    this.router = router;
    this.clients = clients;
    this.retained = retained;
    this.wall = wall;
  }

  start(filters: readonly string[], handlers: BusHandlers): void {
    if (this.started) throw new Error('the bus is started already');
    this.started = true;
    this.handlers = handlers;
    this.fixed = filters;
    for (const filter of new Set(filters)) this.router?.subscribeLocally(filter);
    this.more = this.besides();
    setImmediate(() => {
      if (this.stopped) return;
      handlers.up();
      const registry: Registry | undefined = this.clients?.registry;
      for (const connection of registry?.current() ?? []) this.connected(connection);
      this.replay([...filters, ...this.more]);
      this.ready = true;
    });
  }

  also(filters: readonly string[]): void {
    this.wanted = [...filters];
    if (!this.started || this.stopped) return;
    const before = new Set(this.more);
    this.more = this.besides(before);
    const fresh = this.more.filter(filter => !before.has(filter));
    // Before `up`, its own replay has them.
    if (this.ready && fresh.length > 0) setImmediate(() => this.replay(fresh));
  }

  /** Subscribes to what is wanted beside the fixed filters, and no more to what was. */
  private besides(before: ReadonlySet<string> = new Set()): readonly string[] {
    const { hear } = beside(this.fixed, this.wanted);
    for (const filter of hear) if (!before.has(filter)) this.router?.subscribeLocally(filter);
    const still = new Set(hear);
    for (const filter of before) if (!still.has(filter)) this.router?.unsubscribeLocally(filter);
    return hear;
  }

  /** Hands over what was retained before; each as it is by then, so that nothing overtakes what came live meanwhile. */
  private replay(filters: readonly string[]): void {
    const copies = this.copies(filters);
    const some = () => {
      for (let count = 0; count < copiesPerTurn && !this.stopped; count++) {
        const { value, done } = copies.next();
        if (done) return;
        if (value) this.hear({ ...value, retain: true });
      }
      if (!this.stopped) setImmediate(some);
    };
    some();
  }

  private *copies(filters: readonly string[]): Generator<Retained | undefined> {
    for (const filter of new Set(filters)) yield* this.retained?.match(filter, this.wall) ?? [];
  }

  publish(topic: string, payload: string | Uint8Array, options: PublishOptions, done?: (error?: Error) => void): void {
    const wrong = this.stopped ? 'the bus is stopped' : this.send(topic, payload, options);
    if (done) process.nextTick(done, wrong === undefined ? undefined : new Error(wrong));
  }

  private send(topic: string, payload: string | Uint8Array, options: PublishOptions): string | undefined {
    const { qos, retain = false, correlation } = options;
    const bytes =
      typeof payload === 'string'
        ? Buffer.from(payload)
        : Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    return this.router?.publish({
      topic,
      payload: bytes,
      qos,
      retain,
      ...(correlation && { properties: { correlationData: Buffer.from(correlation) } }),
    });
  }

  kick(connection: BusConnection, _reason: string): void {
    const found = this.clients?.registry.find(connection.serial, connection.clientId);
    if (found) this.clients?.kick(found);
  }

  stop(done: () => void): void {
    this.stopped = true;
    this.handlers = deaf;
    setImmediate(done);
  }

  hear(message: Routed): void {
    this.inTurn(() => this.handlers.message(this.told(message)));
  }

  refused(message: Routed, reason: string): void {
    this.inTurn(() => this.handlers.refused?.(this.told(message), reason));
  }

  connected(connection: Connection): void {
    this.inTurn(() => this.handlers.connected?.(connection.identity));
  }

  disconnected(connection: Connection): void {
    this.inTurn(() => this.handlers.disconnected?.(connection.identity));
  }

  /** What a handler sets off comes after it, not in the middle of it. */
  private inTurn(call: () => void): void {
    if (this.hearing) {
      this.later.push(call);
      return;
    }
    this.hearing = true;
    try {
      call();
      for (let next = this.later.shift(); next; next = this.later.shift()) next();
    } finally {
      this.hearing = false;
    }
  }

  private told(message: Routed): BusMessage {
    const { topic, payload, qos, retain, from, properties } = message;
    const to = properties?.responseTopic;
    const correlation = properties?.correlationData;
    const respond =
      to !== undefined && from && this.router?.mayWrite(to, from.access)
        ? { respond: { topic: to, ...(correlation && { correlation }) } }
        : undefined;
    return { topic, payload, qos, retain, ...(from && { from: from.identity }), ...respond };
  }
}
