/**
 * The HTTP port: the dashboard's files, the fleet as JSON and as a stream, MQTT over WebSocket, joining, what is handed out
 * by its hash, and what people do to the cluster's trust. Every request, upgrades included, passes the limits of its
 * address, then the Host and Origin check, then the question who asks.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import type { Log } from '../../shared/log.ts';
import type { FleetReader } from '../fleet/fleet.ts';
import type { Mirror } from '../mirror/mirror.ts';
import type { Peer } from '../trust/types.ts';
import { isLoopbackAddress } from './address.ts';
import { type AddressLimits, addressLimits } from './address-limits.ts';
import { Doorkeeper } from './doorkeeper.ts';
import { guardHeaders, loadDashboard } from './files.ts';
import { type Arrival, Front } from './front.ts';
import { guardRoutes, hasBody, isBare } from './gate.ts';
import { Gathered } from './gathered.ts';
import { Lines } from './lines.ts';
import { type Reached, refusal } from './origin.ts';
import { adminRoutes } from './routes/admin.ts';
import { artifactRoutes, artifactStatus } from './routes/artifacts.ts';
import { fleetRoutes } from './routes/fleet.ts';
import { joiningRoutes } from './routes/joining.ts';
import { mirrorRoutes } from './routes/mirror.ts';
import { pageRoutes } from './routes/pages.ts';
import { roomRoutes } from './routes/rooms.ts';
import { sessionRoutes } from './routes/session.ts';
import type { WebArtifacts, WebRooms, WebTrust } from './seams.ts';
import { FleetStream, type StreamLimits, streamLimits } from './stream.ts';
import { openUpgrades } from './upgrades.ts';

export interface HttpOptions {
  /** With {@link trust} any, `::` for every address; without it loopback alone. */
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly fleet: FleetReader;
  /** Takes an accepted WebSocket's bytes. Absent where the broker is not in this process. */
  readonly attach?: ((stream: Duplex, peer: Peer) => void) | undefined;
  readonly log: Log;
  /** Holds index.html and the files beside it. */
  readonly dashboardFolder: string;
  /** Where MQTT is served, for the lines to paste that the page shows. Default 1883. */
  readonly mqttPort?: number;
  /** Who may do what, and TLS. Without it everybody who reaches loopback is the owner. */
  readonly trust?: WebTrust | undefined;
  readonly artifacts?: WebArtifacts | undefined;
  readonly mirror?: Mirror | undefined;
  readonly rooms?: WebRooms | undefined;
  readonly limits?: Partial<StreamLimits & AddressLimits & PatienceLimits>;
}

export interface PatienceLimits {
  /** Milliseconds for a connection's first byte, TLS's handshake, and a request's headers. */
  readonly patienceMs: number;
  /** Milliseconds for a request's body, where it is not an artifact's. */
  readonly bodyMs: number;
  /** Milliseconds without a byte either way. */
  readonly idleMs: number;
}
const patienceLimits: PatienceLimits = { patienceMs: 10_000, bodyMs: 15_000, idleMs: 60_000 };

export interface RunningHttp {
  readonly port: number;
  /** Ends every stream and connection at once. */
  close(): Promise<void>;
}

/** @throws one sentence when the port cannot be had or the dashboard's files are missing. */
export async function startHttp(options: HttpOptions): Promise<RunningHttp> {
  const { fleet, log, trust } = options;
  if (!trust && !isLoopbackAddress(options.host)) throw new Error('without logins HTTP is for loopback alone');
  const files = await loadDashboard(options.dashboardFolder);
  const limits = { ...streamLimits, ...addressLimits, ...patienceLimits, ...options.limits };
  let port = options.port;
  const stream = new FleetStream({ fleet, log, limits, hints });
  const doorkeeper = new Doorkeeper(trust, () => port);
  const lines = new Lines(trust);
  const unwatch = trust?.desk.onChange(() => stream.soon());

  const http = createServer({
    requestTimeout: 0,
    headersTimeout: limits.patienceMs,
    keepAliveTimeout: 20_000,
    connectionsCheckingInterval: Math.min(5000, limits.patienceMs),
  });
  http.timeout = limits.idleMs;
  const front = new Front({ http, authority: trust?.authority, limits, patienceMs: limits.patienceMs, log });
  const arrivalOf = (request: IncomingMessage): Arrival => {
    const arrival = front.arrival(request.socket);
    if (!arrival) throw new Error('a request came by no connection of ours');
    return arrival;
  };
  const refusals = new Gathered((fields, count) =>
    log.warn({ ...fields, count }, 'requests to the HTTP port were refused'),
  );
  /** Before anything of a request is looked at but its headers. */
  const refused = (request: IncomingMessage): { status: 403 | 429; sentence: string } | undefined => {
    const arrival = arrivalOf(request);
    if (!front.book.request(arrival.address, performance.now())) {
      refusals.add({ address: arrival.address, why: 'too many' });
      return { status: 429, sentence: 'Too many requests from this address: wait a few seconds.' };
    }
    const sentence = refusal(request.headers, port, reached(request, arrival, trust));
    if (sentence === undefined) return undefined;
    refusals.add({ url: request.url?.slice(0, 200), why: sentence });
    return { status: 403, sentence };
  };

  const app = fastify({
    bodyLimit: 1024,
    // A path that cannot be read comes to no route, and so past every hook.
    frameworkErrors: (_error, _request, reply) =>
      void (reply as unknown as FastifyReply)
        .headers(guardHeaders)
        .code(400)
        .send({ error: 'This path cannot be read.' }),
    serverFactory: handler => {
      http.on('request', (ask: IncomingMessage, answer) => {
        const no = refused(ask);
        if (no === undefined) {
          if (hasBody(ask)) limitBody(ask, limits.bodyMs);
          return handler(ask, answer);
        }
        answer.writeHead(no.status, {
          ...guardHeaders,
          'content-type': 'text/plain; charset=utf-8',
          connection: 'close',
          ...(no.status === 429 && { 'retry-after': '5' }),
        });
        answer.end(`${no.sentence}\n`);
      });
      return http;
    },
  });
  app.removeContentTypeParser('text/plain');
  guardRoutes(app, doorkeeper, arrivalOf, () => port);
  pageRoutes(app, files);
  app.get('/healthz', { config: { needs: 'public', plain: true } }, (_request, reply) =>
    reply.header('cache-control', 'no-store').send({ ok: true }),
  );
  fleetRoutes(app, fleet, stream, lines);
  sessionRoutes(app, trust, doorkeeper, () => port);
  if (trust) {
    joiningRoutes(app, trust);
    adminRoutes(app, trust, log);
  }
  if (options.rooms) roomRoutes(app, options.rooms, fleet);
  if (options.artifacts) artifactRoutes(app, options.artifacts, doorkeeper, trust?.audit);
  if (options.mirror) mirrorRoutes(app, options.mirror, doorkeeper);
  const upgrades = openUpgrades({ app, http, attach: options.attach, refused, arrivalOf, doorkeeper, lines, log });
  answerFaults(app, log);
  await app.ready();
  port = await front.listen(options.host, options.port);

  return {
    port,
    async close() {
      unwatch?.();
      stream.close();
      lines.close();
      upgrades.close();
      await front.close();
      await app.close();
    },
  };

  function hints(): Record<string, string | number> {
    const pending = trust?.desk.pending().length;
    const lan = !isLoopbackAddress(options.host);
    return { mqtt_port: options.mqttPort ?? 1883, ...(pending !== undefined && { pending }), ...(lan && { lan: 1 }) };
  }
}

/** By which names a request may have come. */
function reached(request: IncomingMessage, arrival: Arrival, trust: WebTrust | undefined): Reached {
  const { secure, loopback } = arrival;
  const own = () => trust?.names() ?? [];
  if (loopback) return { secure, own, names: secure ? 'network' : 'loopback' };
  return { secure, own, names: isBare(arrival) || isEverybodys(pathOf(request)) ? 'public' : 'network' };
}

/** What machines ask for that join: under whatever name their token has. No browser's doing. */
const isEverybodys = (path: string): boolean =>
  /^\/(?:install\.sh|ca\.pem|healthz|renew|join|(?:join|trust|artifacts)\/.*)$/.test(path);

export const pathOf = (request: IncomingMessage): string => (request.url ?? '/').split('?', 1)[0] ?? '/';

/** A body that trickles is cut off; only an artifact may take its time, from who may bring one. */
function limitBody(request: IncomingMessage, ms: number): void {
  const { method = '' } = request;
  if (['PUT', 'PATCH'].includes(method) && pathOf(request).startsWith('/artifacts/')) return;
  const late = setTimeout(() => {
    if (!request.complete) request.destroy();
  }, ms).unref();
  request.once('end', () => clearTimeout(late));
}

function answerFaults(app: FastifyInstance, log: Log): void {
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: `nothing is served at ${JSON.stringify(request.url.slice(0, 200))}` }),
  );
  app.setErrorHandler<Error & { statusCode?: number }>((error, request, reply) => {
    const status = artifactStatus(error) ?? error.statusCode ?? 500;
    // What was not read is not waited for.
    if (!request.raw.complete) reply.header('connection', 'close');
    if (status >= 500 && artifactStatus(error) === undefined) {
      log.error({ url: request.url.slice(0, 200), error: error.stack }, 'a request failed');
      return reply.code(status).send({ error: 'internal error; the log says more' });
    }
    return reply.code(status).header('cache-control', 'no-store').send({ error: error.message });
  });
}
