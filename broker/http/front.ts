/**
 * The one port: a connection's first byte says whether TLS (0x16, a handshake record: RFC 8446, section 5.1) or plain HTTP
 * follows. Bounds what one address may hold, and how long a connection may say nothing. The HTTP server behind it never
 * listens itself; it is given connections, as `http.Server` documents for its event `connection`.
 */
import type { Server as HttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Log } from '../../shared/log.ts';
import type { SocketEnds } from '../access/proc-tcp.ts';
import type { CertifiedClient } from '../trust/types.ts';
import { isLoopbackAddress, plainAddress } from './address.ts';
import { AddressBook, type AddressLimits } from './address-limits.ts';
import { Gathered } from './gathered.ts';
import type { WebTrust } from './seams.ts';

/** What is known of a connection before it asks for anything. */
export interface Arrival {
  readonly address: string;
  readonly loopback: boolean;
  readonly secure: boolean;
  readonly ends: SocketEnds;
  /** Whom its client certificate names now; undefined without one, or where it is not valid any more. */
  certified(): CertifiedClient | undefined;
}

export interface FrontParts {
  readonly http: HttpServer;
  readonly authority?: WebTrust['authority'] | undefined;
  readonly limits: AddressLimits;
  /** Milliseconds until the first byte, and for the handshake of TLS. */
  readonly patienceMs: number;
  readonly log: Log;
}

const handshakeRecord = 0x16;
/** Every request of a certificate costs some; only what this cluster's CA signed comes further. */
const tlsOptions = { minVersion: 'TLSv1.2', requestCert: true, rejectUnauthorized: false } as const;

export class Front {
  readonly book: AddressBook;
  readonly #parts: FrontParts;
  readonly #server = createServer({ allowHalfOpen: true, noDelay: true });
  readonly #tls: TlsServer | undefined;
  readonly #arrivals = new WeakMap<Duplex, Arrival>();
  readonly #open = new Set<Socket>();
  readonly #turnedAway: Gathered;

  constructor(parts: FrontParts) {
    this.#parts = parts;
    this.book = new AddressBook(parts.limits);
    this.#turnedAway = new Gathered((fields, count) =>
      parts.log.warn({ ...fields, count }, 'connections to the HTTP port were turned away: too many'),
    );
    this.#tls = parts.authority && this.#createTls(parts.authority);
    this.#server.on('connection', socket => this.#accept(socket));
    // The HTTP server watches for slow headers from this event on.
    parts.http.emit('listening');
  }

  arrival(socket: Duplex): Arrival | undefined {
    return this.#arrivals.get(socket);
  }

  /** @returns the port. @throws one sentence when it cannot be had. */
  async listen(host: string, port: number): Promise<number> {
    const taken = await listen(this.#server, host, port).catch((error: NodeJS.ErrnoException) => {
      // A kernel without IPv6 has no `::`.
      if (host === '::' && (error.code === 'EAFNOSUPPORT' || error.code === 'EADDRNOTAVAIL')) {
        return listen(this.#server, '0.0.0.0', port);
      }
      throw error;
    });
    this.#server.on('error', error => this.#parts.log.error({ error: error.message }, 'the HTTP port failed'));
    return taken;
  }

  /** Ends every connection at once. */
  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    for (const socket of this.#open) socket.destroy();
    // Stops its watch over slow headers; it says that it does not listen, which is so.
    this.#parts.http.close(() => {});
    await closed;
  }

  #createTls(authority: WebTrust['authority']): TlsServer {
    const credentials = () => {
      const { key, cert, ca } = authority.serverCredentials();
      return { key, cert, ca: [...ca] };
    };
    const server = createTlsServer({
      ...tlsOptions,
      ...credentials(),
      handshakeTimeout: this.#parts.patienceMs,
      ALPNProtocols: ['http/1.1'],
    });
    authority.onServerCertificate(() => server.setSecureContext({ ...tlsOptions, ...credentials() }));
    server.on('secureConnection', secure => {
      secure.on('error', () => {});
      const arrival = this.#pending.get(endsKey(secure));
      if (!arrival) return void secure.destroy();
      const raw = secure.getPeerX509Certificate();
      const certified = () => raw && authority.verifyClient(raw);
      this.#arrivals.set(secure, { ...arrival, secure: true, certified });
      this.#parts.http.emit('connection', secure);
    });
    server.on('tlsClientError', (_error, secure) => secure.destroy());
    return server;
  }

  /** Of connections in their handshake, by their ends: a TLSSocket does not tell what it stands on. */
  readonly #pending = new Map<string, Arrival>();

  #accept(socket: Socket): void {
    const { http, patienceMs, log } = this.#parts;
    const address = plainAddress(socket.remoteAddress);
    socket.on('error', error => log.debug({ error: error.message }, 'a connection to the HTTP port failed'));
    if (address === '' || !this.book.enter(address, performance.now())) {
      this.#turnedAway.add({ address, connections: this.book.connections });
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    const key = endsKey(socket);
    const arrival: Arrival = {
      address,
      loopback: isLoopbackAddress(address),
      secure: false,
      ends: endsOf(socket),
      certified: () => undefined,
    };
    const impatient = setTimeout(() => socket.destroy(), patienceMs);
    socket.once('close', () => {
      clearTimeout(impatient);
      this.#open.delete(socket);
      this.#pending.delete(key);
      this.book.leave(address, performance.now());
    });
    socket.once('readable', () => {
      clearTimeout(impatient);
      const first: Buffer | null = socket.read();
      if (first === null) return void socket.destroy();
      socket.unshift(first);
      if (first[0] !== handshakeRecord || !this.#tls) {
        this.#arrivals.set(socket, arrival);
        http.emit('connection', socket);
      } else if (!this.book.request(address, performance.now())) {
        // A handshake costs more than a request; it may not be had for nothing.
        this.#turnedAway.add({ address, connections: this.book.connections });
        socket.destroy();
      } else {
        this.#pending.set(key, arrival);
        this.#tls.emit('connection', socket);
      }
    });
  }
}

const endsOf = (socket: Socket): SocketEnds => ({
  localAddress: plainAddress(socket.localAddress),
  localPort: socket.localPort ?? 0,
  address: plainAddress(socket.remoteAddress),
  port: socket.remotePort ?? 0,
});

const endsKey = (socket: Socket): string =>
  `${socket.localAddress} ${socket.localPort} ${socket.remoteAddress} ${socket.remotePort}`;

const listenFaults: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken by another program',
  EACCES: 'may not be used by this user',
  EADDRNOTAVAIL: 'cannot be had: this machine has no such address',
};

function listen(server: ReturnType<typeof createServer>, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      const what = listenFaults[error.code ?? ''] ?? `failed: ${error.message}`;
      const sentence = `HTTP port ${port} on ${host} ${what}; choose another with --http-port (0 picks a free one)`;
      reject(Object.assign(new Error(sentence), { code: error.code }));
    };
    server.once('error', failed);
    server.listen({ host, port, backlog: 1024 }, () => {
      server.off('error', failed);
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}
