/**
 * The {@link Link} over MQTT.js: one fresh client per connect, so that nothing of a lost connection (queues, packet ids,
 * stores, a latched `disconnecting`) reaches the next one, and MQTT.js never reconnects by itself.
 *
 * MQTT.js is loaded by its client module: its front door brings WebSocket and SOCKS with it, which an agent has no use for.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import clientModule from 'mqtt/lib/client';
import { limits } from '../../shared/limits.ts';
import type { Link, LinkConnect, LinkHandlers } from '../../shared/link.ts';
import { UserError } from '../../shared/user-error.ts';
import { PacketLimit } from './packet-limit.ts';

// The module is CommonJS: its default export is a property of what Node imports.
const { default: MqttClient } = clientModule;
type MqttClient = InstanceType<typeof MqttClient>;

/** With this much unsent, telemetry is dropped: it would be stale when it arrives. */
const fullForTelemetry = 64 * 1024;
/** With this much unsent, everything is refused: the keepalive will end this connection. */
const full = 1024 * 1024;
const connectTimeoutMs = 5000;
/** A graceful close waits this long for what is in flight. */
const closeWithinMs = 1500;

export interface BrokerAddress {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  /** The broker is reached over this machine's loopback. */
  readonly loopback: boolean;
}

/** @param url `mqtt://[user:password@]host[:port]` or `mqtts://…`. Throws a {@link UserError} that says what is wrong. */
export function parseBroker(url: string): BrokerAddress {
  const way = 'use mqtt://HOST:PORT or mqtts://HOST:PORT';
  let parsed: URL;
  try {
    parsed = new URL(url.includes('://') ? url : `mqtt://${url}`);
  } catch {
    throw new UserError(`--broker "${url}" is not an address: ${way}`);
  }
  const tls = parsed.protocol === 'mqtts:';
  if (!tls && parsed.protocol !== 'mqtt:') {
    throw new UserError(`--broker "${parsed.protocol}//" is not served: ${way}`, 2);
  }
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  if (host === '') throw new UserError(`--broker "${url}" names no host: ${way}`);
  return {
    tls,
    host,
    port: parsed.port === '' ? (tls ? 8883 : 1883) : Number(parsed.port),
    loopback: host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host),
    ...(parsed.username === '' ? {} : { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password === '' ? {} : { password: decodeURIComponent(parsed.password) }),
  };
}

/** One connect: its client, and the one `down` it owes. */
interface Attempt {
  readonly client: MqttClient;
  readonly socket: () => Socket | undefined;
  up: boolean;
  closing: boolean;
}

export function createMqttLink(broker: BrokerAddress): Link {
  let current: Attempt | undefined;

  const open = (limit: PacketLimit, fail: (reason: string) => void): Socket => {
    const { host, port } = broker;
    const socket = broker.tls
      ? connectTls({ host, port, ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }) })
      : connectTcp({ host, port });
    socket.setNoDelay(true);
    // Before MQTT.js sees them, and without setting the stream flowing.
    socket.prependListener('data', (chunk: Buffer) => {
      if (!limit.accept(chunk)) fail('the broker sent a packet above the size limit');
    });
    return socket;
  };

  const connect = (options: LinkConnect, handlers: LinkHandlers): void => {
    current?.socket()?.destroy();
    let socket: Socket | undefined;
    let reason = '';
    const fail = (why: string) => {
      reason ||= why;
      socket?.destroy();
    };
    const client = new MqttClient(
      () => {
        socket = open(new PacketLimit(limits.work + 1024), fail);
        return socket;
      },
      {
        clientId: options.clientId,
        keepalive: options.keepaliveS,
        protocolVersion: 4,
        clean: true,
        will: { topic: options.will.topic, payload: Buffer.from(options.will.payload), qos: 1, retain: false },
        reconnectPeriod: 0,
        manualConnect: true,
        connectTimeout: connectTimeoutMs,
        queueQoSZero: false,
        resubscribe: false,
        writeCache: false,
        ...(broker.username === undefined ? {} : { username: broker.username }),
        ...(broker.password === undefined ? {} : { password: Buffer.from(broker.password) }),
      },
    );
    const attempt: Attempt = { client, socket: () => socket, up: false, closing: false };
    current = attempt;
    client.on('error', error => fail(error.message || String((error as NodeJS.ErrnoException).code ?? error.name)));
    client.on('message', (topic, payload) => handlers.message(topic, payload));
    client.on('connect', () => {
      client.subscribe([...options.subscriptions], { qos: 1 }, (error, grants) => {
        if (error || grants?.some(grant => (grant.qos as number) > 2)) {
          return fail(`the broker refused the subscriptions${error ? `: ${error.message}` : ''}`);
        }
        if (attempt.closing || current !== attempt) return;
        attempt.up = true;
        handlers.up();
      });
    });
    client.once('close', () => {
      attempt.up = false;
      if (current === attempt) current = undefined;
      // Ends its timers; what is still in flight is told of its end inside.
      client.end(true);
      handlers.down(reason || (attempt.closing ? 'closed' : 'the connection was lost'));
    });
    client.connect();
  };

  return {
    connect,
    publish(topic, payload, { qos, retain = false }) {
      if (!current?.up || current.closing) return false;
      if ((current.socket()?.writableLength ?? 0) > (qos === 0 ? fullForTelemetry : full)) return false;
      current.client.publish(topic, payload, { qos, retain }, () => {});
      return true;
    },
    close(graceful) {
      const attempt = current;
      if (!attempt) return;
      if (!graceful || !attempt.up) {
        attempt.socket()?.destroy();
        return;
      }
      if (attempt.closing) return;
      attempt.closing = true;
      const late = setTimeout(() => attempt.socket()?.destroy(), closeWithinMs);
      attempt.client.once('close', () => clearTimeout(late));
      attempt.client.end(false);
    },
  };
}
