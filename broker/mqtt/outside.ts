/**
 * The Bus on any outside MQTT broker. What differs from the embedded one, because a client cannot do it: retain flags
 * of commands are not stripped, connections are not reported, direction rules are the broker's own access rules.
 *
 * - MQTT 5 where the broker speaks it, else 3.1.1. The supervisor does not hear its own messages: No Local on 5, told
 *   apart by their content on 3.1.1. Retained copies of them it may hear, after a restart for instance.
 * - `up` runs at every connect once the subscriptions stand, after what waited in the outbox was handed over. `down`
 *   runs when a connection ends, and once when the very first attempt fails.
 * - QoS 1 publishes wait in a bounded outbox while the broker is away, and what was sent and not acknowledged is sent
 *   again (so at least once). QoS 0 fails at once: stale telemetry is worth nothing.
 * - Will: `<base>/status` `offline`, retained.
 */
import type { Bus, BusConnection, BusHandlers, PublishOptions } from '../../shared/bus.ts';
import { type Clock, fullJitter, type Random, type Timer } from '../../shared/clock.ts';
import { limits } from '../../shared/limits.ts';
import type { Log } from '../../shared/log.ts';
import { printable } from '../../shared/names.ts';
import { topicsOf } from '../../shared/topics.ts';
import { type Address, mayRespond, parseAddress } from './outside-address.ts';
import { notSent, Outbox, type Waiting } from './outside-outbox.ts';
import { OutsideSession, type ProtocolVersion, type SessionEnd } from './outside-session.ts';

export interface OutsideOptions {
  /** `mqtt://`, `mqtts://`, `ws://` or `wss://`, host and port, with user name and password where needed. */
  readonly url: string;
  readonly base: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** These win over the ones in the URL. */
  readonly username?: string;
  readonly password?: string;
}

const firstBackoffMs = 500;
const mostBackoffMs = 10_000;
/** A connection that lasted this long was a good one: the next backoff starts from the beginning. */
const steadyMs = 5000;
/** How long `stop` waits for acknowledgements, and then for the broker to close. */
const stopMs = 2000;
/** Unsent bytes in the socket above which QoS 0 is refused: the broker does not keep up. */
const backlogBytes = 8 * 1024 * 1024;
/** A message that this many connections broke over is given up: one that the broker answers by closing would loop for ever. */
const mostBreaks = 3;
/** Fixed header, packet id and correlation data, generously. */
const propertyBytes = 128;

/** @throws UserError when the URL cannot be one of a broker. */
export function connectOutsideBus(options: OutsideOptions): Bus {
  return new OutsideBus(options);
}

class OutsideBus implements Bus {
  readonly kind = 'outside';
  private readonly options: OutsideOptions;
  private readonly address: Address;
  private readonly clientId: string;
  private readonly outbox = new Outbox();
  /** Handed to the session, and neither acknowledged nor failed. In the order of sending. */
  private readonly underWay = new Set<Waiting>();
  private handlers: BusHandlers | undefined;
  private filters: readonly string[] = [];
  private more: readonly string[] = [];
  private session: OutsideSession | undefined;
  private window = 0;
  private attempt = 0;
  private upAt: number | undefined;
  private version: ProtocolVersion = 5;
  private lastReason = '';
  private retry: Timer | undefined;
  private stopped: { done: () => void; timer: Timer } | undefined;
  private finished = false;
  private pumping = false;

  constructor(options: OutsideOptions) {
    this.options = options;
    this.address = parseAddress(options);
    this.clientId = `${options.base}_supervisor_${options.random.hex(4)}`;
  }

  start(filters: readonly string[], handlers: BusHandlers): void {
    if (this.handlers) throw new Error('the bus is started already');
    this.filters = filters;
    this.handlers = handlers;
    this.connect();
  }

  also(filters: readonly string[]): void {
    this.more = [...filters];
    this.session?.also(this.more);
  }

  publish(topic: string, payload: string | Uint8Array, options: PublishOptions, done?: (error?: Error) => void): void {
    const refusal = this.refusal(payload, options);
    if (refusal !== undefined) {
      process.nextTick(() => done?.(notSent(topic, refusal)));
      return;
    }
    this.outbox.push({ topic, payload, options, done, at: this.options.clock.now(), breaks: 0 });
    this.pump();
  }

  kick(_connection: BusConnection, _reason: string): void {}

  stop(done: () => void): void {
    if (this.stopped) {
      done();
      return;
    }
    this.retry?.cancel();
    this.stopped = { done, timer: this.options.clock.after(stopMs, () => this.hangUp()) };
    if (!this.session) this.finish();
    else if (this.upAt === undefined) this.session.close(false);
    else if (this.idle) this.hangUp();
  }

  /** Why a publish cannot even wait. */
  private refusal(payload: string | Uint8Array, options: PublishOptions): string | undefined {
    if (this.stopped) return 'the bus is stopped';
    if (Buffer.byteLength(payload) > limits.work) return `its payload is longer than ${limits.work} bytes`;
    if (options.qos === 1) return undefined;
    if (this.upAt === undefined) return 'there is no connection to the broker';
    return (this.session?.backlog ?? 0) > backlogBytes ? 'the broker does not keep up' : undefined;
  }

  private get idle(): boolean {
    return this.underWay.size === 0 && this.outbox.size === 0;
  }

  /** DISCONNECT; a broker that does not close then is left standing. */
  private hangUp(): void {
    if (!this.stopped) return;
    this.stopped.timer.cancel();
    this.stopped.timer = this.options.clock.after(stopMs, () => {
      this.session?.close(false);
      this.finish();
    });
    this.session?.close(true);
  }

  private finish(): void {
    if (!this.stopped || this.finished) return;
    this.finished = true;
    this.stopped.timer.cancel();
    for (const entry of this.underWay)
      entry.done?.(notSent(entry.topic, 'the bus was stopped before the acknowledgement'));
    this.underWay.clear();
    this.outbox.clear('the bus is stopped');
    this.stopped.done();
  }

  private connect(): void {
    const { clock, base } = this.options;
    this.outbox.expire(clock.now());
    const session = new OutsideSession(
      {
        ...this.address,
        clientId: this.clientId,
        version: this.version,
        will: { topic: topicsOf(base).fabric('status'), payload: 'offline' },
        filters: this.filters,
        also: this.more,
        mayRespond: topic => mayRespond(topic, base),
        clock,
      },
      {
        up: window => this.up(window),
        message: message => this.handlers?.message(message),
        unheard: (filter, reason) => this.unheard(filter, reason),
        ended: end => this.ended(end),
      },
    );
    this.session = session;
  }

  private up(window: number): void {
    const { clock, log } = this.options;
    this.window = window;
    this.upAt = clock.now();
    this.lastReason = '';
    log.info({ broker: this.address.where, mqtt: this.version === 5 ? '5' : '3.1.1' }, 'connected to the broker');
    // Older than anything that `up` will publish, so it goes first.
    this.outbox.expire(this.upAt);
    this.pump();
    this.handlers?.up();
  }

  private unheard(filter: string, reason: string): void {
    if (this.stopped) return;
    this.options.log.warn({ broker: this.address.where, filter: printable(filter) }, reason);
    this.handlers?.unheard?.(filter, reason);
  }

  private ended(end: SessionEnd): void {
    const { clock, log, random } = this.options;
    const wasUp = this.upAt !== undefined;
    const steady = this.upAt !== undefined && clock.now() - this.upAt >= steadyMs;
    this.session = undefined;
    this.upAt = undefined;
    this.takeBack();
    if (this.stopped) {
      this.finish();
      return;
    }
    const other = end.tryOtherVersion && this.version === 5;
    // A broker that spoke only 3.1.1 yesterday may have been upgraded: after a connection that stood, 5 comes first.
    this.version = other ? 4 : 5;
    if (steady) this.attempt = 0;
    // A broker that only speaks 3.1.1 is asked again at once, and told about only if that fails too.
    const delay = other ? 0 : fullJitter(this.attempt++, firstBackoffMs, mostBackoffMs, random);
    this.retry = clock.after(delay, () => this.connect());
    if (other) return;
    if (end.reason !== this.lastReason) {
      log.warn({ broker: this.address.where, dropped: this.outbox.dropped, retryMs: Math.round(delay) }, end.reason);
      const first = this.lastReason === '' && !wasUp;
      this.lastReason = end.reason;
      if (wasUp || first) this.handlers?.down(end.reason);
    }
  }

  /** What was sent and not acknowledged goes to the front again; QoS 0 is lost. */
  private takeBack(): void {
    const again: Waiting[] = [];
    for (const entry of this.underWay) {
      entry.breaks++;
      if (entry.options.qos === 0) entry.done?.(notSent(entry.topic, 'the connection to the broker is gone'));
      else if (entry.breaks < mostBreaks) again.push(entry);
      else
        entry.done?.(
          notSent(entry.topic, `the connection broke ${mostBreaks} times over it: does the broker allow it?`),
        );
    }
    this.underWay.clear();
    this.outbox.unshift(again);
  }

  /** Sends in order, as far as the broker's window of unacknowledged publishes reaches. */
  private pump(): void {
    // `done` of QoS 0 runs inside `publish`: the loop goes on, it does not nest.
    if (this.pumping) return;
    this.pumping = true;
    try {
      for (let entry = this.next(); entry; entry = this.next()) this.send(entry);
    } finally {
      this.pumping = false;
    }
  }

  private next(): Waiting | undefined {
    if (!this.session || this.upAt === undefined || this.underWay.size >= this.window) return undefined;
    // One that broken connections have in common is sent by itself, so that it takes no others with it.
    const [underWay] = this.underWay;
    const suspect = (underWay ?? this.outbox.peek())?.breaks === mostBreaks - 1;
    return suspect && underWay ? undefined : this.outbox.shift();
  }

  private send(entry: Waiting): void {
    const { session } = this;
    if (!session) return;
    const bytes = entry.topic.length + Buffer.byteLength(entry.payload) + propertyBytes;
    if (bytes > session.packetLimit) {
      entry.done?.(notSent(entry.topic, `the broker takes packets up to ${session.packetLimit} bytes`));
      return;
    }
    this.underWay.add(entry);
    session.publish(entry, error => {
      if (!this.underWay.delete(entry)) return;
      entry.done?.(error && notSent(entry.topic, `the broker said: ${error.message}`));
      this.pump();
      if (this.stopped && this.idle) this.hangUp();
    });
  }
}
