/**
 * The {@link Link} over MQTT.js: one fresh client per connect, so that nothing of a lost connection (queues, packet ids,
 * stores, a latched `disconnecting`) reaches the next one, and MQTT.js never reconnects by itself.
 *
 * MQTT.js is loaded by its client module: its front door brings WebSocket and SOCKS with it, which an agent has no use for.
 */
import type { Socket } from 'node:net';
import clientModule from 'mqtt/lib/client';
import { limits } from '../../shared/limits.ts';
import type { Link, LinkConnect, LinkHandlers } from '../../shared/link.ts';
import { PacketLimit } from './packet-limit.ts';
import type { Way } from './way.ts';

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

/** One connect, and the one `down` it owes. */
interface Attempt {
  /** Once the way is open. */
  client: MqttClient | undefined;
  socket: Socket | undefined;
  /** Ends it now, for this reason. */
  fail(reason: string): void;
  up: boolean;
  closing: boolean;
}

export function createMqttLink(way: Way): Link {
  let current: Attempt | undefined;

  const clientOver = (socket: Socket, options: LinkConnect): MqttClient =>
    new MqttClient(() => socket, {
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
      ...(way.username === undefined ? {} : { username: way.username }),
      ...(way.password === undefined ? {} : { password: Buffer.from(way.password) }),
    });

  const connect = (options: LinkConnect, handlers: LinkHandlers): void => {
    current?.fail('another connect');
    let reason = '';
    let refused = false;
    let giveUp = () => {};
    const attempt: Attempt = {
      ...{ client: undefined, socket: undefined, up: false, closing: false },
      fail(why) {
        reason ||= why;
        if (attempt.socket) attempt.socket.destroy();
        else giveUp();
      },
    };
    current = attempt;
    const down = () => {
      attempt.up = false;
      if (current === attempt) current = undefined;
      way.came?.(refused ? 'refused' : 'lost');
      handlers.down(reason || (attempt.closing ? 'closed' : 'the connection was lost'));
    };
    const begin = (socket: Socket) => {
      attempt.socket = socket;
      // Of `work`, with the topic; the others are shorter.
      const limit = new PacketLimit(limits.work + 1024);
      // Before MQTT.js sees them, and without setting the stream flowing.
      socket.prependListener('data', (chunk: Buffer) => {
        if (!limit.accept(chunk)) attempt.fail('the broker sent a packet above the size limit, or one at QoS 2');
      });
      const client = clientOver(socket, options);
      attempt.client = client;
      client.on('error', error => {
        refused ||= isRefusal(error);
        attempt.fail(error.message || String((error as NodeJS.ErrnoException).code ?? error.name));
      });
      client.on('message', (topic, payload) => handlers.message(topic, payload));
      client.on('connect', () => {
        client.subscribe([...options.subscriptions], { qos: 1 }, (error, grants) => {
          if (error || grants?.some(grant => (grant.qos as number) > 2)) {
            refused = true;
            return attempt.fail(`the broker refused the subscriptions${error ? `: ${error.message}` : ''}`);
          }
          if (attempt.closing || current !== attempt) return;
          attempt.up = true;
          way.came?.('up');
          handlers.up();
        });
      });
      client.once('close', () => {
        // Ends its timers; what is still in flight is told of its end inside.
        client.end(true);
        down();
      });
      client.connect();
    };
    giveUp = way.open({
      ready: begin,
      failed(why) {
        reason ||= why;
        down();
      },
    });
  };

  return {
    connect,
    publish(topic, payload, { qos, retain = false }) {
      if (!current?.up || current.closing) return false;
      if ((current.socket?.writableLength ?? 0) > (qos === 0 ? fullForTelemetry : full)) return false;
      current.client?.publish(topic, payload, { qos, retain }, () => {});
      return true;
    },
    close(graceful) {
      const attempt = current;
      if (!attempt) return;
      if (!graceful || !attempt.up || !attempt.client) {
        attempt.fail('closed');
        return;
      }
      if (attempt.closing) return;
      attempt.closing = true;
      const late = setTimeout(() => attempt.socket?.destroy(), closeWithinMs);
      attempt.client.once('close', () => clearTimeout(late));
      attempt.client.end(false);
    },
  };
}

/** CONNACK with a reason, or TLS in the broker's name: a certificate that is refused ends the connection with an alert. */
function isRefusal(error: Error & { readonly code?: unknown }): boolean {
  if (typeof error.code === 'number') return error.code > 0 && error.code !== 3;
  return typeof error.code === 'string' && /^ERR_SSL_.*ALERT/.test(error.code);
}
