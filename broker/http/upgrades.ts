/** Requests to open a WebSocket: only MQTT, only for who passes the same checks as any request. */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { Log } from '../../shared/log.ts';
import type { Peer } from '../trust/types.ts';
import { type Doorkeeper, isKnown } from './doorkeeper.ts';
import type { Arrival } from './front.ts';
import { isBare } from './gate.ts';
import type { Lines } from './lines.ts';
import { createMqttUpgrade, refuseUpgrade } from './websocket.ts';

export interface UpgradeParts {
  readonly app: FastifyInstance;
  readonly http: Server;
  readonly attach: ((stream: Duplex, peer: Peer) => void) | undefined;
  refused(request: IncomingMessage): { readonly status: 403 | 429; readonly sentence: string } | undefined;
  arrivalOf(request: IncomingMessage): Arrival;
  readonly doorkeeper: Doorkeeper;
  readonly lines: Lines;
  readonly log: Log;
}

const mqttPath = '/mqtt';
const outsideBroker =
  'MQTT over WebSocket is not served here: this supervisor uses an outside broker, so connect to that one.';

export function openUpgrades(parts: UpgradeParts): { close(): void } {
  const { app, http, attach, doorkeeper, lines, log } = parts;
  const mqtt = attach && createMqttUpgrade(attach, log);

  app.get(mqttPath, { config: { needs: 'public' } }, (_request, reply) => {
    if (!attach) return reply.code(404).send({ error: outsideBroker });
    reply.headers({ upgrade: 'websocket', connection: 'upgrade' }).code(426);
    return reply.send({ error: 'This is MQTT over WebSocket: connect with an MQTT client.' });
  });

  const accept = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const no = parts.refused(request);
    if (no) return refuseUpgrade(socket, no.status, no.sentence);
    const path = (request.url ?? '/').split('?', 1)[0];
    if (path !== mqttPath) return refuseUpgrade(socket, 404, `WebSockets are served at ${mqttPath} only.`);
    if (!mqtt) return refuseUpgrade(socket, 404, outsideBroker);
    const arrival = parts.arrivalOf(request);
    if (isBare(arrival))
      return refuseUpgrade(socket, 403, 'From the network MQTT over WebSocket is served with TLS only: use wss://.');
    const asker = await doorkeeper.identify(request, arrival);
    const peer = await doorkeeper.peer(request, arrival, 'ws');
    if (asker && !isKnown(asker)) return refuseUpgrade(socket, asker.status, asker.sentence);
    // Who said nothing says it in CONNECT.
    const session = asker?.said ? asker.principal : undefined;
    mqtt.accept(request, socket, head, { ...peer, ...(session && { session }) }, stream => {
      if (asker)
        stream.once(
          'close',
          lines.add(asker, () => stream.destroy()),
        );
    });
  };
  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', error => log.debug({ error: error.message }, 'a connection to the HTTP port failed'));
    accept(request, socket, head).catch(error => {
      log.error({ error: (error as Error).stack }, 'a WebSocket could not be opened');
      refuseUpgrade(socket, 500, 'Internal error; the log says more.');
    });
  });
  return { close: () => mqtt?.close() };
}
