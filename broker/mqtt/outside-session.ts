/**
 * One connection to an outside broker, from TCP to its end. MQTT.js's own reconnecting is not used: it has no
 * backoff and no jitter, stops for ever after a refused CONNACK, and can latch after `reconnect()` on a dead link
 * (mqttjs #1947, zigbee2mqtt #33150). A session is a fresh MQTT.js client, and when it is over it is thrown away.
 */
import { type IClientOptions, type MqttClient, connect as mqttConnect } from 'mqtt';
import type { BusMessage } from '../../shared/bus.ts';
import type { Clock, Timer } from '../../shared/clock.ts';
import { limits } from '../../shared/limits.ts';
import { Echoes } from './outside-echo.ts';
import type { Waiting } from './outside-outbox.ts';
import { farewellSentence, faultSentence, mayBeTheVersion } from './outside-reasons.ts';
import { Subscriptions } from './outside-subscriptions.ts';

export type ProtocolVersion = 4 | 5;

export interface SessionOptions {
  readonly url: string;
  /** The broker as people know it: host and port, no password. */
  readonly where: string;
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly version: ProtocolVersion;
  readonly will: { readonly topic: string; readonly payload: string };
  readonly filters: readonly string[];
  /** Filters beside these; a refused one is told and no reason to end. */
  readonly also: readonly string[];
  /** A response topic is passed on only where this says so. */
  readonly mayRespond: (topic: string) => boolean;
  readonly clock: Clock;
}

export interface SessionEnd {
  /** One sentence. */
  readonly reason: string;
  /** The broker does not speak this protocol version, or closed without a word before CONNACK, as old ones do. */
  readonly tryOtherVersion: boolean;
}

export interface SessionHandlers {
  /** CONNACK and SUBACK have arrived. `window`: most QoS 1 publishes the broker takes unacknowledged. */
  up(window: number): void;
  message(message: BusMessage): void;
  /** The broker refuses the subscription to one of `also`. */
  unheard(filter: string, reason: string): void;
  /** Exactly once, whatever happened. */
  ended(end: SessionEnd): void;
}

const keepaliveS = 5;
/** From the first SYN to SUBACK. */
const connectMs = 10_000;
/** Silence after which the link is dead: a PINGREQ every 4 s has by then gone unanswered twice. */
const silentMs = 10_000;
const pingMs = 4000;
const tickMs = 1000;
const mostUnderWay = 1000;
/** Room for topic and properties beside the largest payload. */
const packetBytes = limits.work + 64 * 1024;

/** MQTT.js's keepalive counts a PINGRESP that waits unread behind a stalled loop as missing; the watchdog below does not. */
const noTimer = { set: () => 0, clear: () => {} };

export class OutsideSession {
  private readonly options: SessionOptions;
  private readonly handlers: SessionHandlers;
  private readonly client: MqttClient;
  private readonly deadline: Timer;
  /** Only where the broker cannot keep our own messages away. */
  private readonly echoes: Echoes | undefined;
  private readonly subscriptions: Subscriptions;
  private watch: Timer | undefined;
  private over = false;
  private acknowledged = false;
  private fault: (Error & { code?: unknown }) | undefined;
  private reason: string | undefined;
  private heardAt = 0;
  private pingedAt = 0;
  private tickedAt = 0;

  constructor(options: SessionOptions, handlers: SessionHandlers) {
    this.options = options;
    this.handlers = handlers;
    this.echoes = options.version === 4 ? new Echoes(options.filters) : undefined;
    const { clock, where } = options;
    const client = mqttConnect(options.url, clientOptions(options));
    this.client = client;
    this.subscriptions = new Subscriptions(client, {
      ...options,
      echoes: this.echoes,
      refused: reason => {
        this.reason ??= reason;
        client.stream.destroy();
      },
      unheard: (filter, reason) => handlers.unheard(filter, reason),
    });
    client.on('error', error => {
      this.fault ??= error;
      // After a protocol error MQTT.js would read on.
      client.stream?.destroy();
    });
    client.on('disconnect', packet => {
      this.reason ??= farewellSentence(where, packet.reasonCode ?? 0);
    });
    client.on('connect', () => this.subscribe());
    client.on('message', (topic, payload, packet) => {
      if (!packet.retain && this.echoes?.swallow(topic, payload, clock.now())) return;
      this.handlers.message({
        topic,
        payload,
        qos: packet.qos,
        retain: packet.retain,
        ...this.respond(packet.properties),
      });
    });
    client.on('close', () => this.finish());
    this.deadline = clock.after(connectMs, () => this.drop(`no answer to CONNECT within ${connectMs / 1000} s`));
    client.connect();
    const { stream } = client;
    if ('setNoDelay' in stream && typeof stream.setNoDelay === 'function') stream.setNoDelay(true);
    stream.on('data', () => {
      this.heardAt = clock.now();
    });
  }

  /** Largest packet the broker takes, where it says so (MQTT 5). */
  get packetLimit(): number {
    return this.client.serverProperties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
  }

  /** `done` runs at PUBACK for QoS 1, once written for QoS 0; never after `ended`. */
  publish(entry: Waiting, done: (error?: Error) => void): void {
    const { qos, retain, correlation } = entry.options;
    const properties =
      correlation && this.options.version === 5 ? { correlationData: Buffer.from(correlation) } : undefined;
    const { payload } = entry;
    const body = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : Buffer.from(payload);
    this.echoes?.expect(entry.topic, payload, this.options.clock.now());
    this.client.publish(
      entry.topic,
      body,
      { qos, retain: retain ?? false, ...(properties && { properties }) },
      error => {
        if (!this.over) done(error ?? undefined);
      },
    );
  }

  /** Bytes written and not yet taken by the kernel. */
  get backlog(): number {
    return this.client.stream?.writableLength ?? 0;
  }

  /** Graceful: DISCONNECT, so that the broker forgets the will. Otherwise the socket is destroyed. */
  close(graceful: boolean): void {
    if (this.over) return;
    this.reason ??= `broker ${this.options.where}: closed by us`;
    if (!graceful || !this.acknowledged) this.client.stream.destroy();
    else this.client.end();
  }

  private subscribe(): void {
    this.acknowledged = true;
    const window = this.client.serverProperties?.receiveMaximum ?? mostUnderWay;
    this.subscriptions.open(() => {
      this.deadline.cancel();
      this.heardAt = this.options.clock.now();
      this.tick();
      this.handlers.up(Math.max(1, Math.min(window, mostUnderWay)));
    });
  }

  /** Replaces what is heard beside the fixed filters. */
  also(filters: readonly string[]): void {
    this.subscriptions.also(filters);
  }

  private respond(
    properties: { responseTopic?: string; correlationData?: Buffer } | undefined,
  ): Pick<BusMessage, 'respond'> {
    const topic = properties?.responseTopic;
    if (topic === undefined || !this.options.mayRespond(topic)) return {};
    const correlation = properties?.correlationData;
    return { respond: { topic, ...(correlation && { correlation }) } };
  }

  /** Pings, and gives up on a silent link; after a stall of our own loop the broker first gets a fresh period. */
  private tick(): void {
    const { clock } = this.options;
    const now = clock.now();
    if (this.tickedAt > 0 && now - this.tickedAt > 2 * tickMs) this.heardAt = now;
    this.tickedAt = now;
    if (now - this.heardAt > silentMs) {
      this.drop(`no sign of life for ${silentMs / 1000} s`);
      return;
    }
    if (now - this.pingedAt >= pingMs) {
      this.pingedAt = now;
      this.client.sendPing();
    }
    this.watch = clock.after(tickMs, () => this.tick());
  }

  private drop(why: string): void {
    this.reason ??= `broker ${this.options.where}: ${why}`;
    // destroy(), never end() or reconnect(): on a dead link those wait for what cannot come.
    this.client.stream.destroy();
  }

  private finish(): void {
    if (this.over) return;
    this.over = true;
    this.subscriptions.close();
    this.deadline.cancel();
    this.watch?.cancel();
    this.client.end(true);
    const fallback = { message: this.acknowledged ? 'the connection is gone' : 'it closed the connection at once' };
    const reason = this.reason ?? faultSentence(this.options.where, this.fault ?? fallback);
    const tryOtherVersion = !this.acknowledged && this.reason === undefined && mayBeTheVersion(this.fault);
    this.handlers.ended({ reason, tryOtherVersion });
  }
}

const clientOptions = (options: SessionOptions): IClientOptions => ({
  manualConnect: true,
  reconnectPeriod: 0,
  resubscribe: false,
  clean: true,
  clientId: options.clientId,
  protocolVersion: options.version,
  protocolId: 'MQTT',
  keepalive: keepaliveS,
  timerVariant: noTimer,
  // The session's own deadline comes first.
  connectTimeout: 2 * connectMs,
  queueQoSZero: false,
  // 65,536 small buffers, 13 MB resident, for the sake of writing two-byte numbers.
  writeCache: false,
  will: { topic: options.will.topic, payload: Buffer.from(options.will.payload), qos: 1, retain: true },
  ...(options.username !== undefined && { username: options.username }),
  ...(options.password !== undefined && { password: options.password }),
  // MQTT 3.1.1 knows no such limit: there the broker's own (Mosquitto: message_size_limit) has to do.
  ...(options.version === 5 && { properties: { maximumPacketSize: packetBytes } }),
});
