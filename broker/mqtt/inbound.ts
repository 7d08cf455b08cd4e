/** What a client publishes, most of it straight from the bytes, and the answers to that (sections 3.3 to 3.7 and 3.12). */
import type { Connection, ConnectionParts } from './connection.ts';
import { ExactlyOnce } from './exactly-once.ts';
import { carriedProperties } from './message.ts';
import { encodeAck, encodePings, encodePubacks, reason } from './packets.ts';
import type { ParsedPacket } from './parsed.ts';
import type { Routed } from './router.ts';

/** Whether a packet may wait in queues as a slice of what it came in, and keep the whole of it in memory. */
const mayShare = (chunk: Buffer, bytes: number): boolean => chunk.length <= 4096 || bytes * 8 >= chunk.length;

export class Inbound {
  private readonly connection: Connection;
  private readonly parts: ConnectionParts;
  private readonly open: ExactlyOnce;
  /** Packet ids of this chunk's QoS 1 messages. */
  private acks: number[] = [];
  private pings = 0;

  constructor(connection: Connection, parts: ConnectionParts) {
    this.connection = connection;
    this.parts = parts;
    this.open = new ExactlyOnce(parts.limits.inboundQos2);
  }

  ping(): void {
    this.pings++;
  }

  /** PUBREL. */
  release(id: number): void {
    this.open.release(id);
    this.acknowledge('pubcomp', id);
  }

  /** @returns false where it takes the long way: QoS 2, MQTT 5 properties, anything odd. */
  publishFromBytes(chunk: Buffer, start: number, body: number, end: number): boolean {
    const { connection } = this;
    const first = chunk[start] as number;
    const qos = (first >> 1) & 3;
    if (qos > 1 || end - body < 2) return false;
    const topicEnd = body + 2 + chunk.readUInt16BE(body);
    let at = topicEnd + qos * 2;
    if (connection.version === 5) {
      if (chunk[at] !== 0) return false;
      at++;
    }
    if (at > end || topicEnd === body + 2) return false;
    const topic = chunk.toString('utf8', body + 2, topicEnd);
    const retain = (first & 1) !== 0;
    const refused = this.parts.router.publish({
      topic,
      payload: chunk.subarray(at, end),
      qos: qos as 0 | 1,
      retain,
      from: connection,
      frame: first === 0x30 && mayShare(chunk, end - start) ? chunk.subarray(start, end) : undefined,
    });
    if (qos === 1) {
      const id = chunk.readUInt16BE(topicEnd);
      if (id === 0) connection.fail('a packet id of 0');
      else if (refused !== undefined && connection.version === 5) {
        this.acknowledge('puback', id, reason.notAuthorized);
      } else this.acks.push(id);
    }
    return true;
  }

  publishParsed(packet: ParsedPacket): void {
    const { connection } = this;
    const { topic = '', payload = Buffer.alloc(0), qos = 0, retain = false, messageId = 0 } = packet;
    if (packet.properties?.topicAlias !== undefined || topic === '') {
      connection.fail('a PUBLISH without a topic');
      return;
    }
    if (qos > 0 && messageId === 0) {
      connection.fail('a packet id of 0');
      return;
    }
    if (qos === 2) {
      const open = this.open.open(messageId);
      if (open === 'full') connection.fail('too many open QoS 2 messages');
      if (open === 'known') this.acknowledge('pubrec', messageId);
      if (open !== 'new') return;
    }
    const message: Routed = {
      topic,
      payload: Buffer.from(payload),
      qos: qos > 0 ? 1 : 0,
      retain,
      from: connection,
      properties: carriedProperties(packet.properties),
    };
    const refused = this.parts.router.publish(message);
    if (qos === 0) return;
    const code = refused === undefined ? 0 : reason.notAuthorized;
    // A QoS 2 exchange ends where PUBREC says why (MQTT 5, section 4.3.3).
    if (qos === 2 && code > 0 && connection.version === 5) this.open.release(messageId);
    this.acknowledge(qos === 1 ? 'puback' : 'pubrec', messageId, code);
  }

  /** Those that wait in `acks` go first: acknowledgements keep the order of what they acknowledge (section 4.6). */
  private acknowledge(kind: 'puback' | 'pubrec' | 'pubcomp', id: number, code = 0): void {
    this.flushAcks();
    this.connection.outgoing.push(encodeAck(kind, id, this.connection.version, code));
  }

  private flushAcks(): void {
    if (this.acks.length === 0) return;
    this.connection.outgoing.push(encodePubacks(this.acks));
    this.acks = [];
  }

  /**
   * What a chunk asked for, in one write. PUBACK follows routing: whoever has it knows that the message was on its way.
   */
  answer(): void {
    const { outgoing } = this.connection;
    this.flushAcks();
    if (this.pings > 0) {
      outgoing.push(encodePings(this.pings));
      this.pings = 0;
    }
    // Deliveries look at this bound themselves; what else may pile up is answers that nobody reads.
    if (outgoing.pending > this.parts.limits.closeBufferBytes) this.connection.failSoon('it does not read its answers');
  }
}
