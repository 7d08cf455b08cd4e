/**
 * One message to many connections: serialised once per kind of receiver, bounded per receiver. A receiver that reads
 * slower than its publisher writes makes the publisher wait; one that does not read at all loses alone.
 */
import type { Connection } from './connection.ts';
import type { BrokerLimits } from './limits.ts';
import type { Flusher } from './outgoing.ts';
import { type Encoded, encodePublish, type Version } from './packets.ts';
import type { Routed, Subscription } from './router.ts';

/** A receiver that took nothing for so long is frozen, not slow: nobody waits for it. Milliseconds. */
const frozenMs = 200;

export class Delivery {
  readonly counts = { delivered: 0, dropped: 0, closed: 0 };
  private readonly limits: BrokerLimits;
  private readonly flusher: Flusher;
  private readonly now: () => number;
  /** Any id serves any receiver that has it free, so that all of them can get the same bytes. */
  private nextId = 0;

  constructor(limits: BrokerLimits, flusher: Flusher, now: () => number) {
    this.limits = limits;
    this.flusher = flusher;
    this.now = now;
  }

  deliver(message: Routed, targets: readonly Subscription[]): void {
    const { limits } = this;
    // What one kind of receiver gets, all of that kind get.
    const encoded: (Encoded | undefined)[] = [];
    const soft = limits.softBufferBytes;
    const crowded = this.flusher.pending > limits.allBufferBytes;
    for (let i = 0; i < targets.length; i++) {
      const target = targets[i] as Subscription;
      const { connection } = target;
      if (target.noLocal && connection === message.from) continue;
      const qos = message.qos === 1 && target.qos === 1 ? 1 : 0;
      const { pending } = connection.outgoing;
      if (pending > soft && !this.admit(message, connection, qos, crowded)) continue;
      const packet = this.encode(message, target, qos, encoded);
      if (packet.frame.length > connection.maximumPacket) {
        this.counts.dropped++;
        continue;
      }
      this.counts.delivered++;
      if (qos === 0) connection.outgoing.push(packet.frame);
      else connection.unacknowledged.send(packet);
    }
  }

  /** @returns false where this receiver loses the message. */
  private admit(message: Routed, connection: Connection, qos: 0 | 1, crowded: boolean): boolean {
    const { limits } = this;
    const { outgoing } = connection;
    const most = crowded ? limits.softBufferBytes : qos === 0 ? limits.bufferBytes : limits.closeBufferBytes;
    if (outgoing.pending > most) {
      this.counts.dropped++;
      // Not in the middle of a delivery: its will is one, too.
      if (qos > 0 && connection.failSoon('it does not take its QoS 1 messages')) this.counts.closed++;
      return false;
    }
    if (message.from && this.now() - outgoing.lastProgress < frozenMs) message.from.waitFor(connection);
    return true;
  }

  private encode(message: Routed, target: Subscription, qos: 0 | 1, encoded: (Encoded | undefined)[]): Encoded {
    const { version } = target.connection;
    const retain = target.retainAsPublished && message.retain;
    if (version === 5 && target.identifiers) return encodePublish(message, 5, qos, retain, target.identifiers);
    const key = (version === 5 ? 4 : 0) | (qos << 1) | (retain ? 1 : 0);
    let packet = encoded[key];
    if (!packet) {
      packet = this.encodeFresh(message, version, qos, retain);
      encoded[key] = packet;
    }
    return packet;
  }

  private encodeFresh(message: Routed, version: Version, qos: 0 | 1, retain: boolean): Encoded {
    const { frame, from } = message;
    // The publisher's own packet is what a receiver of its version gets, where nothing in it is the publisher's alone.
    if (qos === 0 && frame && !retain && (version === 5) === (from?.version === 5)) return { frame, idAt: -1 };
    const packet = encodePublish(message, version, qos, retain);
    if (qos > 0) {
      this.nextId = this.nextId === 65_535 ? 1 : this.nextId + 1;
      packet.frame.writeUInt16BE(this.nextId, packet.idAt);
    }
    return packet;
  }
}

/** How long a publisher waits for a slow receiver before it looks again, and whether that one still reads. */
export const isFrozen = (connection: Connection, now: number): boolean =>
  now - connection.outgoing.lastProgress >= frozenMs;
