/** MQTT over WebSocket (MQTT 5.0, section 6): an accepted socket becomes a byte stream for the broker. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { limits } from '../../shared/limits.ts';
import type { Log } from '../../shared/log.ts';
import type { Peer } from '../trust/types.ts';

/** One frame may hold several packets (section 6.0), so more than the largest one that the broker looks at. */
const mostFrame = limits.work + 2 * limits.message;
/** What may wait for a slow reader before the stream says it is full; the broker decides what to drop before that. */
const highWaterMark = 4 * 1024 * 1024;

export interface MqttUpgrade {
  /**
   * Answers an upgrade request on the MQTT path; the asker's Host and Origin were checked.
   * @param opened is given the stream, if there comes to be one.
   */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, peer: Peer, opened?: (stream: Duplex) => void): void;
  close(): void;
}

export function createMqttUpgrade(attach: (stream: Duplex, peer: Peer) => void, log: Log): MqttUpgrade {
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: mostFrame,
    clientTracking: true,
    // `mqtt` is the registered name; 3.1 clients offer `mqttv3.1`.
    handleProtocols: offered => (offered.has('mqtt') ? 'mqtt' : offered.has('mqttv3.1') ? 'mqttv3.1' : false),
  });
  return {
    accept(request, socket, head, peer, opened) {
      const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/);
      if (!offered.includes('mqtt') && !offered.includes('mqttv3.1')) {
        refuseUpgrade(socket, 400, 'Offer the WebSocket subprotocol "mqtt" here.');
        return;
      }
      server.handleUpgrade(request, socket, head, connection => {
        // Text frames are a protocol error in MQTT (6.0.0-1): unsupported data.
        connection.on('message', (_data, isBinary) => {
          if (!isBinary) connection.close(1003, 'MQTT speaks binary frames');
        });
        const stream = createWebSocketStream(connection, { writableHighWaterMark: highWaterMark });
        // Half-open means nothing here: without this a stream whose socket is gone would never say `close`. After the end,
        // not at once, so that a DISCONNECT that came with the last bytes is still read.
        stream.once('end', () => stream.destroy());
        stream.on('error', error => log.debug({ error: error.message }, 'a WebSocket connection failed'));
        attach(stream, peer);
        opened?.(stream);
      });
    },
    close() {
      for (const connection of server.clients) {
        connection.close(1001, 'shutting down');
        connection.terminate();
      }
      server.close();
    },
  };
}

const reasons = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
} as const;

/** Answers an upgrade request with a status and one sentence, and closes. */
export function refuseUpgrade(socket: Duplex, status: keyof typeof reasons, sentence: string): void {
  const body = `${sentence}\n`;
  socket.once('error', () => {});
  socket.end(
    `HTTP/1.1 ${status} ${reasons[status]}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
