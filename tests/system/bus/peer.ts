/** An ordinary MQTT client of somebody else's, as the conformance tests need it: MQTT.js, 3.1.1 or 5, no reconnecting. */
import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { patienceMs } from '../../fixture/processes.ts';
import { Waiting } from '../../fixture/waiting.ts';

export interface PeerMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
  readonly qos: number;
  readonly properties: IPublishPacket['properties'];
}

export interface PeerOptions {
  readonly version?: 4 | 5;
  readonly id?: string;
  readonly will?: { readonly topic: string; readonly payload: string; readonly retain?: boolean };
  readonly username?: string;
  readonly password?: string;
}

export class Peer {
  readonly heard: PeerMessage[] = [];
  readonly client: MqttClient;
  /** Resolves when the connection is over, whoever ended it. */
  readonly closed: Promise<void>;
  private readonly waiting = new Waiting();

  static async connect(port: number, options: PeerOptions = {}): Promise<Peer> {
    const { will, version = 4, id } = options;
    const settings: IClientOptions = {
      protocolVersion: version,
      reconnectPeriod: 0,
      connectTimeout: patienceMs,
      ...(id !== undefined && { clientId: id }),
      ...(options.username !== undefined && { username: options.username }),
      ...(options.password !== undefined && { password: options.password }),
      ...(will && {
        will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: will.retain ?? false },
      }),
    };
    return new Peer(await connectAsync(`mqtt://127.0.0.1:${port}`, settings));
  }

  private constructor(client: MqttClient) {
    this.client = client;
    this.closed = new Promise(resolve => client.once('close', () => resolve()));
    client.on('error', () => {});
    client.on('message', (topic, payload, packet) => {
      this.heard.push({ topic, payload, retain: packet.retain, qos: packet.qos, properties: packet.properties });
      this.waiting.look();
    });
  }

  async subscribe(filter: string, qos: 0 | 1 = 1): Promise<void> {
    await this.client.subscribeAsync(filter, { qos });
  }

  async publish(
    topic: string,
    payload: string | Buffer,
    options: { qos?: 0 | 1; retain?: boolean; properties?: IPublishPacket['properties'] } = {},
  ): Promise<void> {
    const { qos = 1, retain = false, properties } = options;
    await this.client.publishAsync(topic, payload, { qos, retain, ...(properties && { properties }) });
  }

  /** The first message, heard already or still to come, that is on `topic` (and has `payload`, if given). */
  message(topic: string, payload?: string, limitMs = patienceMs): Promise<PeerMessage> {
    const find = () =>
      this.heard.find(
        message => message.topic === topic && (payload === undefined || `${message.payload}` === payload),
      );
    return this.when(find, `message on ${topic}${payload === undefined ? '' : ` ${payload}`}`, limitMs);
  }

  count(count: number, limitMs = patienceMs): Promise<true> {
    return this.when(() => this.heard.length >= count || undefined, `${count} messages`, limitMs);
  }

  payloads(topic: string): string[] {
    return this.heard.filter(message => message.topic === topic).map(message => `${message.payload}`);
  }

  /** DISCONNECT. */
  async end(): Promise<void> {
    await this.client.endAsync();
  }

  /** The socket goes without a word. */
  async kill(): Promise<void> {
    const { closed } = this;
    this.client.stream.destroy();
    await closed;
  }

  private when<T>(find: () => T | undefined, what: string, limitMs: number): Promise<T> {
    const heard = () => this.heard.map(({ topic }) => topic);
    return this.waiting.when(find, what, limitMs, heard);
  }
}
