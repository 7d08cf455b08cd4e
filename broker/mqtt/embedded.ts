/**
 * The embedded MQTT broker: 3.1.1 and 5 on one port, TCP, TLS and WebSocket streams, behind the Bus seam.
 *
 * Aedes does CONNECT, DISCONNECT and wills (guards/aedes.ts). Routing, retained messages, acknowledgements, queues and
 * keepalive are the files beside this one.
 */
import type { Server } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Bus } from '../../shared/bus.ts';
import type { Log } from '../../shared/log.ts';
import { createSocketOwners, type SocketOwners } from '../access/socket-owner.ts';
import type { Authenticator, Peer } from '../trust/types.ts';
import { ownerOfKept } from './admission.ts';
import { BackPressure } from './back-pressure.ts';
import { BrokerCache } from './cache.ts';
import { Clients } from './clients.ts';
import { Delivery } from './delivery.ts';
import type { BrokerGauges } from './gauges.ts';
import { KeptSessions } from './kept-sessions.ts';
import { type BrokerLimits, defaultLimits } from './limits.ts';
import { type ListenOptions, listenTcp } from './listener.ts';
import { LocalBus } from './local-bus.ts';
import { Flusher } from './outgoing.ts';
import { RetainedMessages } from './retained.ts';
import { decodeRetained, encodeRetained } from './retained-codec.ts';
import { Router } from './router.ts';
import { peerOfTcp } from './tcp-peer.ts';
import { listenTls, type TlsOptions } from './tls-listener.ts';

export type { BrokerGauges } from './gauges.ts';
export type { BrokerLimits } from './limits.ts';

export interface EmbeddedOptions {
  /** Topic base of the cluster. */
  readonly base: string;
  /** Retained messages and kept subscriptions survive a restart here; without it they do not. */
  readonly cacheFolder?: string;
  readonly log: Log;
  readonly limits?: Partial<BrokerLimits>;
  /** Who comes in. `open`: everybody, as this machine's owner; for tests and benches of the broker by itself. */
  readonly authenticator: Authenticator | 'open';
  /** Whose the other end of a loopback connection is; the kernel's list where absent. */
  readonly owners?: SocketOwners;
}

export interface EmbeddedBroker {
  readonly bus: Bus;
  /** Resolves with the port. May be called again for a further address. @throws one sentence where the port is taken. */
  listen(options: ListenOptions): Promise<number>;
  /** The same with TLS; client certificates are asked for, and judged by the authority. */
  listenTls(options: TlsOptions): Promise<number>;
  /** Serves an accepted byte stream, such as a WebSocket's. Without a peer nothing is known of it: it has to log in. */
  attach(stream: Duplex, peer?: Peer | Promise<Peer>): void;
  gauges(): BrokerGauges;
  /** Ends every connection without its will, and writes down what is retained. */
  close(): Promise<void>;
}

const sweepMs = 3_600_000;

export async function createEmbeddedBroker(options: EmbeddedOptions): Promise<EmbeddedBroker> {
  const { base, log } = options;
  const limits: BrokerLimits = { ...defaultLimits, ...options.limits };
  const cache = options.cacheFolder === undefined ? undefined : await BrokerCache.open(options.cacheFolder, log);
  const now = () => performance.now();
  const wall = () => Date.now();

  let restoring = true;
  const retained = new RetainedMessages(
    { count: limits.retainedCount, bytes: limits.retainedBytes },
    (topic, message) => {
      if (!restoring || !message) cache?.write(`r/${topic}`, message && encodeRetained(message));
    },
  );
  const kept = new KeptSessions({
    sessions: limits.keptSessions,
    sessionsEach: limits.keptSessionsEach,
    subscriptions: limits.keptSubscriptions,
    wall,
    owner: (clientId, who) => ownerOfKept(base, clientId, who),
    changed: (clientId, session) => cache?.write(`s/${clientId}`, session),
  });
  await cache?.read('r/', (topic, bytes) => {
    const message = decodeRetained(topic, bytes);
    if (message && (message.expiresAt === undefined || message.expiresAt > wall())) retained.set(message);
    else cache.write(`r/${topic}`, undefined);
  });
  await cache?.read('s/', (clientId, bytes) => kept.restore(clientId, bytes));
  restoring = false;

  const flusher = new Flusher();
  const backPressure = new BackPressure(limits.softBufferBytes, now);
  const bus = new LocalBus();
  const router = new Router(
    {
      base,
      limits,
      retained,
      wall,
      hear: message => bus.hear(message),
      refused: (message, reason) => bus.refused(message, reason),
      retainedFull: topic => log.warn({ topic }, 'too many retained messages: this one, and others, are not kept'),
    },
    new Delivery(limits, flusher, now),
  );
  const clients = await Clients.open({
    base,
    limits,
    router,
    retained,
    kept,
    flusher,
    backPressure,
    now,
    wall,
    log,
    bus,
    authenticator: options.authenticator,
  });
  const owners = options.owners ?? (options.authenticator === 'open' ? undefined : createSocketOwners());
  bus.connect(router, clients, retained, wall);

  const servers: Server[] = [];
  const endings: (() => void)[] = [];
  const sweep = setInterval(() => kept.sweep(), sweepMs);
  sweep.unref();
  let closing: Promise<void> | undefined;

  return {
    bus,
    async listen(where) {
      const { server, port } = await listenTcp(where, socket => {
        const peer = owners && peerOfTcp(socket, owners);
        // Who is on this machine is counted when it is known whose it is.
        if (!peer || peer instanceof Promise || peer.owner) clients.accept(socket, peer);
        else {
          const place = clients.admission.place(peer.address);
          if (place) clients.accept(socket, peer, place);
          else socket.on('error', () => {}).destroy();
        }
      });
      servers.push(server);
      return port;
    },
    async listenTls(where) {
      const { server, port, close } = await listenTls(where, clients, { handshakeMs: limits.connectMs, log });
      servers.push(server);
      endings.push(close);
      return port;
    },
    attach: (stream, peer) => clients.accept(stream, peer),
    gauges: () => ({
      ...clients.gauges(),
      published: router.counts.published,
      delivered: router.delivery.counts.delivered,
      refused: router.counts.refused,
      dropped: router.delivery.counts.dropped,
      closedForQueue: router.delivery.counts.closed,
      pendingBytes: flusher.pending,
      waitingPublishers: backPressure.size,
      retainedCount: retained.count,
      retainedBytes: retained.bytes,
      retainedRefused: retained.refused,
      sessionsKept: kept.size,
      sessionsDropped: kept.dropped,
      topicsCached: router.routeCount,
    }),
    close() {
      closing ??= (async () => {
        clearInterval(sweep);
        for (const end of endings) end();
        const ended = servers.map(server => new Promise(resolve => server.close(resolve)));
        await clients.close();
        backPressure.close();
        await Promise.all(ended);
        await cache?.close();
      })();
      return closing;
    },
  };
}
