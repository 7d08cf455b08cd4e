/**
 * What one connection to an outside broker is subscribed to: the fixed filters, without which it is good for nothing, and
 * those beside them, which come and go while it stands.
 */
import type { IClientSubscribeOptions, MqttClient } from 'mqtt';
import { beside } from '../../shared/bus-filters.ts';
import { printable } from '../../shared/names.ts';
import type { Echoes } from './outside-echo.ts';

export interface SubscriptionParts {
  /** The broker as people know it. */
  readonly where: string;
  readonly version: 4 | 5;
  readonly filters: readonly string[];
  readonly also: readonly string[];
  readonly echoes: Echoes | undefined;
  /** The broker refuses a fixed filter. */
  refused(reason: string): void;
  /** It refuses one of the others. */
  unheard(filter: string, reason: string): void;
}

/** Filters of one packet: some brokers take no more (AWS IoT Core: 8), and a thousand long ones would be too large for most. */
const perPacket = 8;
const advice = "allow it in the broker's access rules";

export class Subscriptions {
  readonly #client: MqttClient;
  readonly #parts: SubscriptionParts;
  readonly #options: IClientSubscribeOptions;
  #wanted: readonly string[];
  /** Subscribed to beside the fixed filters. */
  readonly #standing = new Set<string>();
  /** Refused on this connection: not asked for again while it stands. */
  readonly #refused = new Set<string>();
  #state: 'new' | 'open' | 'over' = 'new';

  constructor(client: MqttClient, parts: SubscriptionParts) {
    this.#client = client;
    this.#parts = parts;
    this.#wanted = parts.also;
    // No Local (MQTT 5, section 3.8.3.1): what the supervisor publishes does not come back to it. 3.1.1 has no such thing: see `Echoes`.
    this.#options = parts.version === 5 ? { qos: 1, nl: true, rap: false, rh: 0 } : { qos: 1 };
  }

  /** After CONNACK. @param ready runs once, when the broker has answered about every filter and refused no fixed one. */
  open(ready: () => void): void {
    this.#state = 'open';
    const { filters, where, refused } = this.#parts;
    const one = countdown(filters.length > 0 ? 2 : 1, ready);
    if (filters.length > 0) {
      this.#client.subscribe([...filters], this.#options, (error, granted) => {
        if (this.#state === 'over') return;
        const which = granted?.find(grant => grant.qos >= 128)?.topic ?? (error ? filters.join(', ') : undefined);
        if (which === undefined) one();
        else refused(`broker ${where}: it refuses the subscription to ${which}: ${advice}`);
      });
    }
    this.#follow(one);
  }

  also(filters: readonly string[]): void {
    this.#wanted = filters;
    if (this.#state === 'open') this.#follow(() => {});
  }

  close(): void {
    this.#state = 'over';
  }

  /** `done` runs when the broker has answered about all that is new. */
  #follow(done: () => void): void {
    const hear = new Set(beside(this.#parts.filters, this.#wanted).hear);
    const gone = [...this.#standing].filter(filter => !hear.has(filter));
    const fresh = [...chunks([...hear].filter(filter => !this.#standing.has(filter) && !this.#refused.has(filter)))];
    for (const filter of this.#refused) if (!hear.has(filter)) this.#refused.delete(filter);
    // Before what takes its place: a broker may bound how many there are.
    for (const filter of gone) this.#forget(filter);
    for (const some of chunks(gone)) this.#client.unsubscribe(some);
    const one = countdown(fresh.length + 1, done);
    for (const some of fresh) {
      for (const filter of some) {
        this.#standing.add(filter);
        this.#parts.echoes?.hear(filter);
      }
      this.#client.subscribe(some, this.#options, (_error, _subscriptions, packet) => {
        // Without one the connection is at its end.
        if (this.#state === 'over' || !packet) return;
        // SUBACK (section 3.9.3): a granted QoS, or a reason from 128 on.
        for (const [index, filter] of some.entries()) if (Number(packet.granted[index]) >= 128) this.#refuse(filter);
        one();
      });
    }
    one();
  }

  #forget(filter: string): void {
    this.#standing.delete(filter);
    this.#parts.echoes?.hearNoMore(filter);
  }

  #refuse(filter: string): void {
    if (!this.#standing.has(filter)) return;
    this.#forget(filter);
    this.#refused.add(filter);
    const { where, unheard } = this.#parts;
    unheard(filter, `broker ${where}: it refuses the subscription to ${printable(filter)}: ${advice}`);
  }
}

function countdown(from: number, done: () => void): () => void {
  let left = from;
  return () => {
    if (--left === 0) done();
  };
}

function* chunks(filters: readonly string[]): Generator<string[]> {
  for (let from = 0; from < filters.length; from += perPacket) yield filters.slice(from, from + perPacket);
}
