/**
 * One client connection. Aedes does CONNECT, DISCONNECT and wills; what comes between (PUBLISH, SUBSCRIBE, acks, pings)
 * is read and answered here, most of it straight from the bytes.
 */
import type { Duplex } from 'node:stream';
import type { BackPressure } from './back-pressure.ts';
import { ExactlyOnce } from './exactly-once.ts';
import { Framer } from './framing.ts';
import type { AedesClient } from './guards/aedes.ts';
import type { BrokerLimits } from './limits.ts';
import { carriedProperties } from './message.ts';
import { type Flusher, Outgoing } from './outgoing.ts';
import { encodeAck, encodePubacks, pingResponse, reason, type Version } from './packets.ts';
import type { ParsedPacket } from './parsed.ts';
import type { Retained } from './retained.ts';
import type { Routed, Router, Subscription } from './router.ts';
import { handleSubscribe, handleUnsubscribe, type SubscribeParts } from './subscribe.ts';
import { Unacknowledged } from './unacknowledged.ts';

/** Whether a packet may wait in queues as a slice of what it came in, and keep the whole of it in memory. */
const mayShare = (chunk: Buffer, bytes: number): boolean => chunk.length <= 4096 || bytes * 8 >= chunk.length;

export interface ConnectionParts extends SubscribeParts {
  readonly limits: BrokerLimits;
  readonly router: Router;
  readonly flusher: Flusher;
  readonly backPressure: BackPressure;
  readonly now: () => number;
}

export class Connection {
  readonly identity: { serial: number; clientId: string };
  readonly outgoing: Outgoing;
  readonly unacknowledged: Unacknowledged;
  readonly subscriptions = new Map<string, Subscription>();
  /** Retained messages on their way to a new subscription. */
  readonly replays: { readonly messages: Iterator<Retained>; readonly subscription: Subscription }[] = [];
  replaying = false;
  version: Version = 4;
  /** Largest packet the client takes (MQTT 5). */
  maximumPacket = Number.POSITIVE_INFINITY;
  /** 1.5 × keepalive, 0 for none. Milliseconds. */
  silenceMs = 0;
  /** How long its subscriptions are kept after it is gone, 0 for not at all. Milliseconds. */
  keepMs = 0;
  /** Whether CONNECT asked for a session that outlives the connection, and for the one it had. */
  expires = false;
  resumes = false;
  lastHeard: number;
  /** CONNACK is out: packets are served. */
  ready = false;
  closed = false;
  /** Its will is worth nothing: it was kicked. */
  muted = false;
  /** Whether a newer connection has its client id. Set by the registry. */
  replaced = false;
  private readonly inbound: ExactlyOnce;
  private paused = false;
  private failing = false;
  private acks: number[] = [];
  private readonly client: AedesClient;
  private readonly stream: Duplex;
  private readonly parts: ConnectionParts;
  private readonly framer: Framer;

  constructor(serial: number, client: AedesClient, stream: Duplex, parts: ConnectionParts) {
    this.identity = { serial, clientId: '' };
    this.client = client;
    this.stream = stream;
    this.parts = parts;
    this.inbound = new ExactlyOnce(parts.limits.inboundQos2);
    this.lastHeard = parts.now();
    this.outgoing = new Outgoing(stream, parts.flusher, parts.now);
    this.unacknowledged = new Unacknowledged(this.outgoing, parts.limits.inflight);
    this.framer = new Framer(parts.limits.connectBytes, {
      frame: (chunk, start, body, end) => this.frame(chunk, start, body, end),
      broken: why => this.fail(why),
    });
    stream.on('data', (chunk: Buffer) => this.heard(chunk));
  }

  get id(): string {
    return this.identity.clientId;
  }

  /** Ends it by the supervisor's wish. @param code MQTT 5 reason code of the DISCONNECT. */
  kick(code: number): void {
    this.muted = true;
    this.client.disconnect({ reasonCode: code });
  }

  /** Ends it without a word. */
  destroy(): void {
    this.stream.destroy();
  }

  /** Ends it as a protocol error does: its will goes out. */
  fail(why: string): void {
    if (!this.closed) this.client.emit('error', new Error(why));
  }

  /** The same, once this turn's work is done. @returns false where that is under way already. */
  failSoon(why: string): boolean {
    if (this.closed || this.failing) return false;
    this.failing = true;
    setImmediate(() => this.fail(why));
    return true;
  }

  /** CONNACK is written: what the client sent in the meantime is served now. */
  open(): void {
    this.ready = true;
    this.outgoing.open();
    this.framer.limit = this.parts.limits.packetBytes;
    this.framer.again();
    this.flushAcks();
    if (this.paused) this.resume();
  }

  pause(): void {
    this.paused = true;
    this.stream.pause();
  }

  resume(): void {
    this.paused = false;
    this.lastHeard = this.parts.now();
    this.stream.resume();
  }

  /** Whether it is the broker that does not read, so that silence means nothing. */
  get held(): boolean {
    return this.paused;
  }

  /** Not read until `receiver` has caught up. */
  waitFor(receiver: Connection): void {
    this.parts.backPressure.wait(this, receiver);
  }

  private heard(chunk: Buffer): void {
    if (this.closed) return;
    this.lastHeard = this.parts.now();
    this.framer.feed(chunk);
    this.flushAcks();
    // Between CONNECT and CONNACK a client may talk on; it is heard when it is known.
    if (this.framer.hold && this.framer.waiting > 0 && !this.closed) this.pause();
  }

  /** @returns whether to go on with the next packet. */
  private frame(chunk: Buffer, start: number, body: number, end: number): boolean {
    if (this.closed || this.replaced) return false;
    const first = chunk[start] as number;
    if (!this.ready) {
      if (first !== 0x10) {
        this.fail('the first packet is CONNECT');
        return false;
      }
      this.framer.hold = true;
      this.parse(chunk.subarray(start, end));
      return false;
    }
    switch (first >> 4) {
      case 3:
        if (!this.publishFromBytes(chunk, start, body, end)) this.parse(chunk.subarray(start, end));
        break;
      case 4:
        if (end - body >= 2) this.unacknowledged.acknowledged(chunk.readUInt16BE(body));
        break;
      case 12:
        this.outgoing.push(pingResponse);
        break;
      default:
        this.parse(chunk.subarray(start, end));
    }
    return !this.closed;
  }

  /** Packets that are not worth a short cut go through mqtt-packet, which answers to `parsed` or emits an error. */
  private parse(frame: Buffer): void {
    try {
      this.client._parser.parse(frame);
    } catch (error) {
      this.fail(`a packet that cannot be read: ${(error as Error).message}`);
    }
  }

  /** @returns false where it takes the long way: QoS 2, MQTT 5 properties, anything odd. */
  private publishFromBytes(chunk: Buffer, start: number, body: number, end: number): boolean {
    const first = chunk[start] as number;
    const qos = (first >> 1) & 3;
    if (qos > 1 || end - body < 2) return false;
    const topicEnd = body + 2 + chunk.readUInt16BE(body);
    let at = topicEnd + qos * 2;
    if (this.version === 5) {
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
      from: this,
      frame: first === 0x30 && mayShare(chunk, end - start) ? chunk.subarray(start, end) : undefined,
    });
    if (qos === 1) {
      const id = chunk.readUInt16BE(topicEnd);
      if (id === 0) this.fail('a packet id of 0');
      else if (refused !== undefined && this.version === 5) {
        this.outgoing.push(encodeAck('puback', id, 5, reason.notAuthorized));
      } else this.acks.push(id);
    }
    return true;
  }

  /** PUBACK follows routing: whoever has it knows that the message was on its way. One write for all of a chunk. */
  private flushAcks(): void {
    if (this.acks.length === 0) return;
    this.outgoing.push(encodePubacks(this.acks));
    this.acks = [];
  }

  /** What mqtt-packet made of a packet. @returns false where it is Aedes' to handle. */
  parsed(packet: ParsedPacket): boolean {
    if (this.closed) return true;
    switch (packet.cmd) {
      case 'connect':
      case 'disconnect':
        return false;
      case 'publish':
        this.publishParsed(packet);
        break;
      case 'subscribe':
        handleSubscribe(this, packet, this.parts);
        break;
      case 'unsubscribe':
        handleUnsubscribe(this, packet, this.parts);
        break;
      case 'pubrel':
        this.inbound.release(packet.messageId ?? 0);
        this.outgoing.push(encodeAck('pubcomp', packet.messageId ?? 0, this.version));
        break;
      // Nothing is ever sent at QoS 2: stray answers to it mean nothing.
      case 'pubrec':
      case 'pubcomp':
        break;
      default:
        this.fail(`a client does not send ${packet.cmd}`);
    }
    return true;
  }

  private publishParsed(packet: ParsedPacket): void {
    const { topic = '', payload = Buffer.alloc(0), qos = 0, retain = false, messageId = 0 } = packet;
    if (packet.properties?.topicAlias !== undefined || topic === '') {
      this.fail('a PUBLISH without a topic');
      return;
    }
    if (qos > 0 && messageId === 0) {
      this.fail('a packet id of 0');
      return;
    }
    if (qos === 2) {
      const open = this.inbound.open(messageId);
      if (open === 'full') this.fail('too many open QoS 2 messages');
      if (open === 'known') this.outgoing.push(encodeAck('pubrec', messageId, this.version));
      if (open !== 'new') return;
    }
    const message: Routed = {
      topic,
      payload: Buffer.from(payload),
      qos: qos > 0 ? 1 : 0,
      retain,
      from: this,
      properties: carriedProperties(packet.properties),
    };
    const refused = this.parts.router.publish(message);
    if (qos === 0) return;
    const code = refused === undefined ? 0 : reason.notAuthorized;
    // A QoS 2 exchange ends where PUBREC says why (MQTT 5, section 4.3.3).
    if (qos === 2 && code > 0 && this.version === 5) this.inbound.release(messageId);
    this.outgoing.push(encodeAck(qos === 1 ? 'puback' : 'pubrec', messageId, this.version, code));
  }

  /** Gone: nothing is sent or heard any more. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.unacknowledged.close();
    this.outgoing.close();
    this.parts.backPressure.forget(this);
    for (const subscription of this.subscriptions.values()) this.parts.router.unsubscribe(subscription);
    this.subscriptions.clear();
    this.replays.length = 0;
  }
}
