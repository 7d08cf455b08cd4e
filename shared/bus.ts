/**
 * The Bus seam: how the supervisor publishes and hears. Implemented by the embedded broker, by any outside broker
 * through MQTT.js, and by the simulator; one conformance suite runs against all of them.
 */

import type { ResultMessage } from './schemas/fabric.ts';

/** One client connection as the embedded broker sees it. A reconnect is a new connection under the same client id. */
export interface BusConnection {
  /** Unique for the life of the process. */
  readonly serial: number;
  readonly clientId: string;
  /** Embedded: name of the principal (a user, a token, a node, or `owner`), how that is known, and the IP address. */
  readonly user?: string;
  readonly how?: 'owner' | 'password' | 'token' | 'certificate';
  readonly address?: string;
}

export interface BusMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
  /** A retained copy. On the embedded broker also what was published with the flag, whether it was kept or stripped. */
  readonly retain: boolean;
  /** Who published it. Absent on an outside broker, which does not tell, and for the supervisor's own messages. */
  readonly from?: BusConnection;
  /** MQTT 5 request/response (section 4.10), only where the asker may publish to `responseTopic` itself. */
  readonly respond?: { readonly topic: string; readonly correlation?: Uint8Array };
  /** Of who asks within this process: told the answer besides. */
  readonly answered?: (result: ResultMessage) => void;
}

export interface PublishOptions {
  readonly qos: 0 | 1;
  readonly retain?: boolean;
  /** MQTT 5 correlation data, sent with an answer. */
  readonly correlation?: Uint8Array;
}

export interface BusHandlers {
  message(message: BusMessage): void;
  /** Connected, and the subscriptions are in place. Embedded: once. Outside: at every reconnect. */
  up(): void;
  down(reason: string): void;
  /** Embedded only. A client finished CONNECT; it replaces any older connection of the same client id. */
  connected?(connection: BusConnection): void;
  /** Embedded only. The *current* connection of its client id is gone; one that was replaced says nothing. */
  disconnected?(connection: BusConnection): void;
  /** Embedded only. A publish was refused by the direction rules and went nowhere; for an answer on `result`. */
  refused?(message: BusMessage, reason: string): void;
  /** Outside only. The broker refuses the subscription to a filter of `also`; everything else goes on. At every connect. */
  unheard?(filter: string, reason: string): void;
}

/** Filters beside those of `start`. */
export const mostAlso = 1000;

export interface Bus {
  /** `embedded` strips retain from commands and reports connections; `outside` can do neither. */
  readonly kind: 'embedded' | 'outside';
  /**
   * Subscribes to `filters` at QoS 1 and starts to deliver: `up`, then the retained copies that match, and what comes
   * live. Called once.
   */
  start(filters: readonly string[], handlers: BusHandlers): void;
  /**
   * Hears these too, beside the filters of `start`: topics of others, such as a thermometer's. Each call replaces what the
   * one before said; before `start` it waits for it, and it outlives reconnects.
   *
   * - Messages come to the same `message`. One that matches a filter of `start` and one of these comes once: whom it is for
   *   is told by its topic (`matches` of topics.ts), and it may be for both. So a filter that lies within another one is not
   *   heard by itself, and brings no copies of its own. (Wildcards that cross, `a/+/c` and `a/b/+`, may bring one twice.)
   * - What is new brings its retained copies, with the flag; those that it published itself, too. What is no longer named may still bring what was under way.
   * - At most {@link mostAlso}, and only valid ones: the others are passed over (`beside` of bus-filters.ts says which).
   * - Anybody may write to such topics: payloads are hostile, and up to 256 kB long where the broker does not say less.
   */
  also(filters: readonly string[]): void;
  /** `done` runs when the broker has it (embedded: routed; outside: PUBACK, or written for QoS 0). */
  publish(topic: string, payload: string | Uint8Array, options: PublishOptions, done?: (error?: Error) => void): void;
  /** Embedded: drops the connection without its will. Outside: does nothing. */
  kick(connection: BusConnection, reason: string): void;
  stop(done: () => void): void;
}
