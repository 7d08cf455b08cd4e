/** An MQTT client that does exactly what it is told: packets and bytes, no keepalive, no acknowledgements of its own. */
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import mqtt, { type IConnectPacket, type Packet } from 'mqtt-packet';
import { patienceMs, until } from '../../fixture/processes.ts';
import { Waiting } from '../../fixture/waiting.ts';

export type Received = Packet & {
  properties?: Record<string, unknown>;
  topic?: string;
  payload?: Buffer;
  qos?: number;
  retain?: boolean;
  sessionPresent?: boolean;
  granted?: number[];
  reasonCode?: number;
  returnCode?: number;
};

const open = new Set<Socket>();

export class Wire {
  readonly socket: Socket;
  readonly packets: Received[] = [];
  /** performance.now() at the arrival of each of `packets`. */
  readonly times: number[] = [];
  closed = false;
  acknowledge = true;
  readonly version: 4 | 5;
  private id = 0;
  private readonly waiting = new Waiting();

  /** A connection that has said nothing yet. */
  static async open(port: number, version: 4 | 5 = 4): Promise<Wire> {
    const socket = connectTcp({ host: '127.0.0.1', port, noDelay: true });
    const wire = new Wire(socket, version);
    await once(socket, 'connect');
    return wire;
  }

  /** Over a connection that somebody else made, such as one with TLS. */
  static over(socket: Socket, version: 4 | 5 = 4): Wire {
    return new Wire(socket, version);
  }

  /** Connected, its CONNACK received. */
  static async connect(port: number, options: Partial<IConnectPacket> & { version?: 4 | 5 } = {}): Promise<Wire> {
    const { version = 4, ...rest } = options;
    const wire = await Wire.open(port, version);
    wire.sendConnect(rest);
    await wire.packet('connack');
    return wire;
  }

  private constructor(socket: Socket, version: 4 | 5) {
    this.socket = socket;
    this.version = version;
    open.add(socket);
    const parser = mqtt.parser({ protocolVersion: version });
    parser.on('packet', (parsed: Packet) => {
      const packet = parsed as Received;
      this.packets.push(packet);
      this.times.push(performance.now());
      this.waiting.look();
      const { messageId } = packet;
      if (packet.cmd === 'publish' && packet.qos === 1 && this.acknowledge && messageId) {
        this.send({ cmd: 'puback', messageId });
      }
    });
    socket.on('data', chunk => parser.parse(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      open.delete(socket);
    });
  }

  sendConnect(options: Partial<IConnectPacket> = {}): void {
    this.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: this.version,
      clean: true,
      clientId: `wire-${Math.random().toString(16).slice(2)}`,
      keepalive: 0,
      ...options,
    } as Packet);
  }

  bytes(packet: Packet): Buffer {
    return mqtt.generate(packet, { protocolVersion: this.version });
  }

  send(...packets: Packet[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(packets.map(packet => this.bytes(packet))));
  }

  publishPacket(topic: string, payload: string | Buffer = 'x', qos: 0 | 1 | 2 = 0, retain = false): Packet {
    return {
      cmd: 'publish',
      topic,
      payload,
      qos,
      retain,
      dup: false,
      ...(qos > 0 && { messageId: ++this.id }),
    } as Packet;
  }

  /** Publishes at QoS 1 and waits for PUBACK. @returns its reason code. */
  async publish(topic: string, payload: string | Buffer = 'x', retain = false): Promise<number> {
    const packet = this.publishPacket(topic, payload, 1, retain);
    this.send(packet);
    const ack = await this.find(`PUBACK for ${topic}`, p => p.cmd === 'puback' && p.messageId === packet.messageId);
    return ack.reasonCode ?? 0;
  }

  /** @returns what SUBACK granted. */
  async subscribe(filters: string | string[], qos: 0 | 1 | 2 = 0, more: object = {}): Promise<number[]> {
    const messageId = ++this.id;
    const subscriptions = [filters].flat().map(topic => ({ topic, qos, ...more }));
    this.send({ cmd: 'subscribe', messageId, subscriptions } as Packet);
    const suback = await this.find('SUBACK', packet => packet.cmd === 'suback' && packet.messageId === messageId);
    return suback.granted ?? [];
  }

  find(what: string, fits: (packet: Received) => boolean, limitMs = patienceMs): Promise<Received> {
    return this.when(what, () => this.packets.findLast(fits), limitMs);
  }

  /** Looks again at every packet. */
  private when<T>(what: string, look: () => T | undefined, limitMs = patienceMs): Promise<T> {
    return this.waiting.when(look, what, limitMs, () => this.packets.map(({ cmd }) => cmd));
  }

  packet(cmd: string): Promise<Received> {
    return this.find(cmd, packet => packet.cmd === cmd);
  }

  /** All messages heard once everything sent so far has been answered. */
  async heard(): Promise<Received[]> {
    const pings = this.packets.filter(({ cmd }) => cmd === 'pingresp').length;
    this.send({ cmd: 'pingreq' });
    const answered = () => (this.packets.filter(({ cmd }) => cmd === 'pingresp').length > pings ? true : undefined);
    await this.when('PINGRESP', answered);
    return this.messages;
  }

  get messages(): Received[] {
    return this.packets.filter(({ cmd }) => cmd === 'publish');
  }

  get texts(): string[] {
    return this.messages.map(({ topic, payload }) => `${topic} ${payload}`);
  }

  ended(limitMs = patienceMs): Promise<true> {
    return until('the broker closes the connection', () => this.closed || undefined, limitMs);
  }

  end(): void {
    this.socket.destroy();
  }
}

/** Ends every connection of the test. */
export function endAll(): void {
  for (const socket of open) socket.destroy();
}
