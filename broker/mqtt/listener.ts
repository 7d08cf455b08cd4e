/** The TCP listener of the embedded broker. */
import { createServer, type Server, type Socket } from 'node:net';

export interface ListenOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

/** TCP's own probe of silent peers, for clients that asked for no keepalive. Milliseconds. */
const probeMs = 60_000;

/** @param flag the setting to choose another port with. @throws one sentence that names the port and the way out. */
export function listenTcp(
  options: ListenOptions,
  accept: (socket: Socket) => void,
  flag = '--mqtt-port',
): Promise<{ server: Server; port: number }> {
  const { host, port } = options;
  return new Promise((resolve, reject) => {
    // Without noDelay a QoS 1 round trip takes 44 ms: PUBACK and PUBLISH are two small writes, and the second waits for
    // the delayed acknowledgement of the first.
    const server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: probeMs,
      highWaterMark: 1024 * 1024,
    });
    server.on('connection', accept);
    server.once('error', error => reject(new Error(whyNot(error as NodeJS.ErrnoException, host, port, flag))));
    server.listen({ host, port, backlog: 4096 }, () => {
      server.removeAllListeners('error');
      server.on('error', () => {});
      const address = server.address();
      resolve({ server, port: typeof address === 'object' && address ? address.port : port });
    });
  });
}

function whyNot(error: NodeJS.ErrnoException, host: string, port: number, flag: string): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is taken: stop what uses it, or choose another with ${flag} (0 picks a free one)`;
    case 'EACCES':
      return `port ${port} on ${host} needs root: choose one above 1023 with ${flag}`;
    default:
      return `the broker cannot listen on ${host}, port ${port}: ${error.message}`;
  }
}
