/**
 * The HTTP port: the dashboard's files, the fleet as JSON and as a stream, and MQTT over WebSocket. Every request,
 * upgrades included, passes the Host and Origin check first.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import fastify, { type FastifyInstance } from 'fastify';
import type { Log } from '../../shared/log.ts';
import type { FleetReader } from '../fleet/fleet.ts';
import { guardHeaders, loadDashboard } from './files.ts';
import { refusal } from './origin.ts';
import { FleetStream, type StreamLimits, streamLimits } from './stream.ts';
import { createMqttUpgrade, refuseUpgrade } from './websocket.ts';

export interface HttpOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly fleet: FleetReader;
  /** Takes an accepted WebSocket's bytes. Absent where the broker is not in this process. */
  readonly attach?: ((stream: Duplex) => void) | undefined;
  readonly log: Log;
  /** Holds index.html and the files beside it. */
  readonly dashboardFolder: string;
  /** Where MQTT is served, for the lines to paste that the page shows. Default 1883. */
  readonly mqttPort?: number;
  readonly limits?: Partial<StreamLimits>;
}

export interface RunningHttp {
  readonly port: number;
  /** Ends every stream and connection at once. */
  close(): Promise<void>;
}

const mqttPath = '/mqtt';
/** Open sockets of any kind. */
const mostConnections = 2048;
const outsideBroker =
  'MQTT over WebSocket is not served here: this supervisor uses an outside broker, so connect to that one.';

/** @throws one sentence when the port cannot be had or the dashboard's files are missing. */
export async function startHttp(options: HttpOptions): Promise<RunningHttp> {
  const { fleet, log } = options;
  const files = await loadDashboard(options.dashboardFolder);
  const hints = { mqtt_port: options.mqttPort ?? 1883 };
  const stream = new FleetStream({ fleet, log, hints, limits: { ...streamLimits, ...options.limits } });
  const upgrade = options.attach && createMqttUpgrade(options.attach, log);
  let port = options.port;

  // A page that hammers the port may not fill the log: one line in ten seconds, with how many it stands for.
  let refusals = 0;
  let saidAt = Number.NEGATIVE_INFINITY;
  const refused = (request: IncomingMessage): string | undefined => {
    const sentence = refusal(request.headers, port);
    if (sentence === undefined) return undefined;
    refusals += 1;
    if (performance.now() - saidAt >= 10_000) {
      log.warn({ url: request.url?.slice(0, 200), refusals }, sentence);
      saidAt = performance.now();
      refusals = 0;
    }
    return sentence;
  };

  let server: Server | undefined;
  const app = fastify({
    bodyLimit: 1024,
    serverFactory: handler => {
      server = createServer(
        { requestTimeout: 15_000, headersTimeout: 10_000, keepAliveTimeout: 20_000 },
        (ask, answer) => {
          const sentence = refused(ask);
          if (sentence === undefined) return handler(ask, answer);
          answer.writeHead(403, { ...guardHeaders, 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
          answer.end(`${sentence}\n`);
        },
      );
      return server;
    },
  });
  app.addHook('onRequest', async (_request, reply) => void reply.headers(guardHeaders));
  routes(app);
  await app.ready();
  if (!server) throw new Error('fastify made no server');
  const listening: Server = server;
  listening.maxConnections = mostConnections;
  listening.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const sentence = refused(request);
    if (sentence) refuseUpgrade(socket, 403, sentence);
    else if (pathOf(request) !== mqttPath) refuseUpgrade(socket, 404, `WebSockets are served at ${mqttPath} only.`);
    else if (!upgrade) refuseUpgrade(socket, 404, outsideBroker);
    else upgrade.accept(request, socket, head);
  });
  port = await listen(listening, options.host, options.port);
  listening.on('error', error => log.error({ error: error.message }, 'the HTTP port failed'));

  return {
    port,
    async close() {
      stream.close();
      upgrade?.close();
      const closed = new Promise<void>(resolve => listening.close(() => resolve()));
      listening.closeAllConnections();
      await closed;
      await app.close();
    },
  };

  function routes(to: FastifyInstance): void {
    for (const [path, file] of files) {
      to.get(path, (request, reply) => {
        // Always asked again, so that a new version shows at the next load; 304 keeps that cheap.
        reply.headers({ etag: file.etag, 'cache-control': 'no-cache' });
        if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
        return reply.type(file.type).send(file.body);
      });
    }
    to.get('/healthz', (_request, reply) => reply.header('cache-control', 'no-store').send({ ok: true }));
    to.get('/api/fleet', (_request, reply) => reply.header('cache-control', 'no-store').send(fleet.snapshot()));
    to.get('/api/fleet/stream', { exposeHeadRoute: false }, (_request, reply) => {
      if (stream.open(reply.raw, guardHeaders)) reply.hijack();
      else reply.code(503).header('retry-after', '5').send({ error: 'too many dashboards are open; close one' });
    });
    to.get(mqttPath, (_request, reply) => {
      if (!options.attach) return reply.code(404).send({ error: outsideBroker });
      reply.headers({ upgrade: 'websocket', connection: 'upgrade' }).code(426);
      return reply.send({ error: 'This is MQTT over WebSocket: connect with an MQTT client.' });
    });
    to.setNotFoundHandler((request, reply) =>
      reply.code(404).send({ error: `nothing is served at ${JSON.stringify(request.url.slice(0, 200))}` }),
    );
    to.setErrorHandler<Error & { statusCode?: number }>((error, request, reply) => {
      const status = error.statusCode ?? 500;
      if (status >= 500) log.error({ url: request.url.slice(0, 200), error: error.stack }, 'a request failed');
      reply.code(status).send({ error: status >= 500 ? 'internal error; the log says more' : error.message });
    });
  }
}

const pathOf = (request: IncomingMessage): string => (request.url ?? '/').split('?', 1)[0] ?? '/';

const listenFaults: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken by another program',
  EACCES: 'may not be used by this user',
  EADDRNOTAVAIL: 'cannot be had: this machine has no such address',
};

/** @returns the port listened on. */
function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      const what = listenFaults[error.code ?? ''] ?? `failed: ${error.message}`;
      reject(new Error(`HTTP port ${port} on ${host} ${what}; choose another with --http-port (0 picks a free one)`));
    };
    server.once('error', failed);
    server.listen({ host, port }, () => {
      server.off('error', failed);
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}
