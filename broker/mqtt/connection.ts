/**
 * One client connection. Aedes does CONNECT, DISCONNECT and wills; what comes between (PUBLISH, SUBSCRIBE, acks, pings)
 * is read and answered here, most of it straight from the bytes.
 */
import type { Duplex } from 'node:stream';
import type { Place } from '../access/connect-limits.ts';
import type { Refusal } from '../access/login.ts';
import { type Access, accessOf, noAccess } from '../access/principals.ts';
import type { Peer, Principal } from '../trust/types.ts';
import type { BackPressure } from './back-pressure.ts';
import { Framer } from './framing.ts';
import type { AedesClient } from './guards/aedes.ts';
import { Inbound } from './inbound.ts';
import type { BrokerLimits } from './limits.ts';
import { whyMalformed } from './message.ts';
import { type Flusher, Outgoing } from './outgoing.ts';
import { reason, type Version } from './packets.ts';
import type { ParsedPacket } from './parsed.ts';
import { holds, Reading } from './reading.ts';
import { encodeRefusal } from './refusal.ts';
import type { Replay } from './replay.ts';
import type { Router, Subscription } from './router.ts';
import { handleSubscribe, handleUnsubscribe, type SubscribeParts } from './subscribe.ts';
import { Unacknowledged } from './unacknowledged.ts';

export interface ConnectionParts extends SubscribeParts {
  readonly limits: BrokerLimits;
  readonly router: Router;
  readonly flusher: Flusher;
  readonly backPressure: BackPressure;
  readonly now: () => number;
}

/** What is gone by then is not waited for when a refused client does not take its answer. Milliseconds. */
const refusedMs = 1000;

export class Connection {
  readonly identity: { serial: number; clientId: string; user?: string; how?: Principal['how']; address?: string };
  /** What is known of the other end; later, where its owner is still being looked up. */
  peer: Peer | Promise<Peer>;
  /** What the table is asked with. */
  access: Access = noAccess;
  /** The principal as one word; empty before it is known. */
  key = '';
  /** Its place among those of its address, and what to call when its principal has one less. */
  place: Place | undefined;
  leave: (() => void) | undefined;
  readonly reading: Reading;
  readonly outgoing: Outgoing;
  readonly unacknowledged: Unacknowledged;
  readonly subscriptions = new Map<string, Subscription>();
  /** Retained messages on their way to a new subscription. */
  readonly replays = new Map<string, Replay>();
  replaying = false;
  version: Version = 4;
  /** Largest packet the client takes (MQTT 5). */
  maximumPacket = Number.POSITIVE_INFINITY;
  /** 1.5 × keepalive, 0 for none. Milliseconds. */
  silenceMs = 0;
  /** How long its subscriptions are kept after it is gone, 0 for not at all. Milliseconds. */
  keepMs = 0;
  /** Its subscriptions have changed since they were written down. */
  keepDue = false;
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
  private readonly inbound: Inbound;
  private failing = false;
  /** It said DISCONNECT or broke the protocol: nothing more is heard. */
  private over = false;
  private readonly client: AedesClient;
  private readonly stream: Duplex;
  private readonly parts: ConnectionParts;
  private readonly framer: Framer;

  constructor(serial: number, client: AedesClient, stream: Duplex, peer: Peer | Promise<Peer>, parts: ConnectionParts) {
    this.identity = { serial, clientId: '' };
    this.peer = peer;
    this.client = client;
    this.stream = stream;
    this.parts = parts;
    this.inbound = new Inbound(this, parts);
    this.lastHeard = parts.now();
    this.reading = new Reading(stream, () => {
      this.lastHeard = parts.now();
    });
    this.outgoing = new Outgoing(stream, parts.flusher, parts.now);
    this.unacknowledged = new Unacknowledged(this.outgoing, parts.limits.inflight);
    this.framer = new Framer(parts.limits.connectBytes, {
      frame: (chunk, start, body, end) => this.frame(chunk, start, body, end),
      broken: (why, tooLarge) => this.broken(why, tooLarge),
    });
    stream.on('data', (chunk: Buffer) => this.heard(chunk));
  }

  get id(): string {
    return this.identity.clientId;
  }

  /** Whether it has said its last word, or was refused. */
  get ended(): boolean {
    return this.over;
  }

  /** It is let in, as `principal`. */
  become(clientId: string, principal: Principal, key: string): void {
    const { identity, peer } = this;
    identity.clientId = clientId;
    identity.user = principal.name;
    identity.how = principal.how;
    if (!(peer instanceof Promise)) identity.address = peer.address;
    this.access = accessOf(principal);
    this.key = key;
    if (principal.how !== 'owner') this.reading.limit(this.parts.limits, this.parts.now());
  }

  /** It is not let in, and told why. */
  refuse(refusal: Refusal): void {
    this.over = true;
    const { stream } = this;
    stream.end(encodeRefusal(refusal, this.version, this.maximumPacket));
    // What it has sent already is read, and lost: a close over unread bytes would overtake the answer.
    stream.resume();
    setTimeout(() => stream.destroy(), refusedMs).unref();
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

  /** The bytes cannot be cut into packets. A client of MQTT 5 is told where it is only the length. */
  private broken(why: string, tooLarge: boolean): void {
    if (tooLarge && this.version === 5 && this.ready) {
      this.over = true;
      this.client.disconnect({ reasonCode: reason.packetTooLarge });
    } else this.fail(why);
  }

  /** Ends it as a protocol error does: its will goes out. */
  fail(why: string): void {
    this.over = true;
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
    // Read on first: a publish in what waits may have to wait for its receiver.
    this.reading.resume(holds.connect);
    this.framer.again();
    this.inbound.answer();
  }

  /** Not read until `receiver` has caught up. */
  waitFor(receiver: Connection): void {
    this.parts.backPressure.wait(this, receiver);
  }

  private heard(chunk: Buffer): void {
    if (this.closed || this.replaced || this.over) return;
    this.lastHeard = this.parts.now();
    this.framer.feed(chunk);
    this.inbound.answer();
    // Between CONNECT and CONNACK a client may talk on; it is heard when it is known.
    if (this.framer.hold && this.framer.waiting > 0 && !this.closed) this.reading.pause(holds.connect);
    this.reading.spent(chunk.length, this.lastHeard);
  }

  /** @returns whether to go on with the next packet. */
  private frame(chunk: Buffer, start: number, body: number, end: number): boolean {
    if (this.closed || this.replaced || this.over) return false;
    const first = chunk[start] as number;
    this.reading.packets++;
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
        if (!this.inbound.publishFromBytes(chunk, start, body, end)) this.parse(chunk.subarray(start, end));
        break;
      case 4:
        if (end - body >= 2) this.unacknowledged.acknowledged(chunk.readUInt16BE(body));
        break;
      case 12:
        this.inbound.ping();
        break;
      default:
        this.parse(chunk.subarray(start, end));
    }
    return !this.closed && !this.over;
  }

  /** Packets that are not worth a short cut go through mqtt-packet, which answers to `parsed` or emits an error. */
  private parse(frame: Buffer): void {
    try {
      this.client._parser.parse(frame);
    } catch (error) {
      this.fail(`a packet that cannot be read: ${(error as Error).message}`);
    }
  }

  /** What mqtt-packet made of a packet. @returns false where it is Aedes' to handle. */
  parsed(packet: ParsedPacket): boolean {
    if (this.closed) return true;
    const wrong = whyMalformed(packet.properties) ?? whyMalformed(packet.will?.properties);
    if (wrong !== undefined) {
      this.fail(`a malformed ${packet.cmd}: ${wrong}`);
      return true;
    }
    switch (packet.cmd) {
      case 'connect':
        return false;
      case 'disconnect':
        // Nothing may follow it (section 3.14.4), even in the same segment.
        this.over = true;
        return false;
      case 'publish':
        this.inbound.publishParsed(packet);
        break;
      case 'subscribe':
        handleSubscribe(this, packet, this.parts);
        break;
      case 'unsubscribe':
        handleUnsubscribe(this, packet, this.parts);
        break;
      case 'pubrel':
        this.inbound.release(packet.messageId ?? 0);
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

  /** Gone: nothing is sent or heard any more. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.reading.close();
    this.place?.left();
    this.leave?.();
    this.unacknowledged.close();
    this.outgoing.close();
    this.parts.backPressure.forget(this);
    for (const subscription of this.subscriptions.values()) this.parts.router.unsubscribe(subscription);
    this.subscriptions.clear();
    this.replays.clear();
  }
}
