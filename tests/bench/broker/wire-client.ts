/** A raw MQTT 3.1.1 client that only counts: packet boundaries, packet types, and PUBACKs for what arrives at QoS 1. */
import type { Socket } from 'node:net';
import { connectPacket, disconnectPacket, subscribePacket } from './packets.ts';

const [connack, publish, puback, suback] = [2, 3, 4, 9];

/** How clients come to a broker. */
export interface Entrance {
  /** A connection on which MQTT may be spoken: what is written before it is made is sent then. */
  open(clientId: string): Socket;
}

export interface WireEvents {
  /** After each chunk: how many PUBLISH packets were in it. */
  published?(count: number): void;
  /** Each PUBLISH packet's payload, where the case needs to look inside. */
  payload?(payload: Buffer): void;
  acked?(count: number): void;
  closed?(): void;
}

export class WireClient {
  events: WireEvents = {};
  private rest: Buffer | undefined;
  private readonly waiting = new Map<number, () => void>();
  private lastId = 60_000;
  private refusal: ((error: Error) => void) | undefined;
  private readonly entrance: Entrance;
  private connection: Socket | undefined;

  constructor(entrance: Entrance) {
    this.entrance = entrance;
  }

  get socket(): Socket {
    if (!this.connection) throw new Error('not connected yet');
    return this.connection;
  }

  connect(clientId: string, will?: { topic: string; payload: string }): Promise<void> {
    const socket = this.entrance.open(clientId);
    this.connection = socket;
    socket.on('data', chunk => this.read(chunk));
    socket.on('error', error => this.refusal?.(error));
    socket.on('close', () => {
      this.refusal?.(new Error('the broker closed the connection'));
      this.events.closed?.();
    });
    return new Promise((resolve, reject) => {
      this.refusal = reject;
      this.waiting.set(connack, resolve);
      this.socket.write(connectPacket(clientId, will));
    });
  }

  /** Resolves with SUBACK. */
  subscribe(topic: string, qos: 0 | 1): Promise<void> {
    return new Promise((resolve, reject) => {
      this.refusal = reject;
      this.waiting.set(suback, resolve);
      this.lastId = this.lastId === 65_535 ? 60_000 : this.lastId + 1;
      this.socket.write(subscribePacket(this.lastId, topic, qos));
    });
  }

  write(packet: Buffer): void {
    this.socket.write(packet);
  }

  /** Ends without a will. */
  end(): void {
    this.events = {};
    this.refusal = undefined;
    const socket = this.connection;
    if (socket && !socket.destroyed) socket.write(disconnectPacket, () => socket.destroy());
  }

  private read(fresh: Buffer): void {
    const chunk = this.rest ? Buffer.concat([this.rest, fresh]) : fresh;
    this.rest = undefined;
    let [at, published, acked] = [0, 0, 0];
    let acks: Buffer[] | undefined;
    while (at < chunk.length) {
      // Remaining length: a varint of up to four bytes (MQTT 3.1.1, section 2.2.3).
      let [body, length, shift] = [at + 1, 0, 0];
      let byte = 0x80;
      while (body < chunk.length && byte & 0x80) {
        byte = chunk[body++] as number;
        length |= (byte & 0x7f) << shift;
        shift += 7;
      }
      if (byte & 0x80 || body + length > chunk.length) break;
      const head = chunk[at] as number;
      const type = head >> 4;
      at = body + length;
      if (type === publish) {
        published++;
        const qos = (head >> 1) & 3;
        const id = body + 2 + ((chunk[body] as number) << 8) + (chunk[body + 1] as number);
        if (qos > 0) {
          acks ??= [];
          acks.push(Buffer.from([0x40, 2, chunk[id] as number, chunk[id + 1] as number]));
        }
        this.events.payload?.(chunk.subarray(qos > 0 ? id + 2 : id, at));
      } else if (type === puback) acked++;
      else this.answer(type, chunk, body, length);
    }
    if (at < chunk.length) this.rest = Buffer.from(chunk.subarray(at));
    if (acks) this.socket.write(acks.length === 1 ? (acks[0] as Buffer) : Buffer.concat(acks));
    if (acked > 0) this.events.acked?.(acked);
    if (published > 0) this.events.published?.(published);
  }

  private answer(type: number, chunk: Buffer, body: number, length: number): void {
    const code = chunk[body + length - 1] as number;
    const refused = (type === connack && code !== 0) || (type === suback && code === 0x80);
    if (refused) this.refusal?.(new Error(`refused: packet type ${type}, code ${code}`));
    const done = this.waiting.get(type);
    this.waiting.delete(type);
    if (!refused) done?.();
  }
}

/** Many clients, connected a few at a time; the connection rate is a case of its own. */
export async function connectMany(
  entrance: Entrance,
  count: number,
  clientId: (index: number) => string,
  prepare?: (client: WireClient, index: number) => Promise<void>,
): Promise<WireClient[]> {
  const clients = Array.from<unknown, WireClient>({ length: count }, () => undefined as never);
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < count; index = next++) {
      const client = new WireClient(entrance);
      await client.connect(clientId(index));
      await prepare?.(client, index);
      clients[index] = client;
    }
  };
  await Promise.all(Array.from({ length: 10 }, lane));
  return clients;
}
