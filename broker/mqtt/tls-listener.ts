/**
 * The TLS listener. A certificate of the client is asked for and never judged by OpenSSL, which goes by the machine's
 * clock and knows no revocation: its key is proven by the handshake, the rest is the authority's word. The server's own
 * certificate is exchanged without closing anything.
 */
import { constants } from 'node:crypto';
import type { Server, Socket } from 'node:net';
import { createServer, type SecureContextOptions, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { Log } from '../../shared/log.ts';
import type { Place } from '../access/connect-limits.ts';
import type { CertificateAuthority, Peer } from '../trust/types.ts';
import type { Clients } from './clients.ts';
import { type ListenOptions, listenTcp } from './listener.ts';

export interface TlsOptions extends ListenOptions {
  readonly authority: Pick<CertificateAuthority, 'serverCredentials' | 'onServerCertificate' | 'verifyClient'>;
}

interface TlsParts {
  /** How long the handshake may take. */
  readonly handshakeMs: number;
  readonly log: Log;
}

export interface TlsListener {
  readonly server: Server;
  readonly port: number;
  /** Ends the connections that are still in their handshake. */
  close(): void;
}

const contextOf = (authority: TlsOptions['authority']): SecureContextOptions => {
  const { key, cert } = authority.serverCredentials();
  return {
    key,
    cert,
    // None, and not the world's: with them OpenSSL verifies every client's chain for a verdict that is not asked for, and
    // builds, checks and sends the server's own anew, all of it a quarter of a handshake. Any certificate may be shown.
    ca: [],
    minVersion: 'TLSv1.2',
    honorCipherOrder: true,
    // Every connection proves its key anew: a session that is resumed would outlive a certificate.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  };
};

/** @throws one sentence that names the port and the way out. */
export async function listenTls(options: TlsOptions, clients: Clients, parts: TlsParts): Promise<TlsListener> {
  const { authority, ...where } = options;
  const { log } = parts;
  const secure = createServer({
    ...contextOf(authority),
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: parts.handshakeMs,
  });
  /** In their handshake, by the other end's address and port. */
  const shaking = new Map<string, { readonly raw: Socket; readonly place: Place }>();
  secure.on('tlsClientError', (error, socket) => {
    log.debug({ from: socket.remoteAddress, why: error.message }, 'a TLS handshake failed');
    socket.destroy();
  });
  secure.on('secureConnection', socket => {
    const shaken = shaking.get(farEnd(socket));
    shaking.delete(farEnd(socket));
    clients.accept(socket, peerOfTls(socket, authority), shaken?.place);
  });
  authority.onServerCertificate(() => exchange(secure, authority, log));
  const { server, port } = await listenTcp(
    where,
    raw => {
      raw.on('error', () => {});
      // Before the handshake, which costs more than anything else a stranger can ask for.
      const place = clients.admission.place(raw.remoteAddress ?? '');
      if (!place) {
        raw.destroy();
        return;
      }
      const key = farEnd(raw);
      const entry = { raw, place };
      shaking.set(key, entry);
      raw.once('close', () => {
        if (shaking.get(key) === entry) shaking.delete(key);
        place.left();
      });
      secure.emit('connection', raw);
    },
    '--tls-port',
  );
  return {
    server,
    port,
    close() {
      for (const { raw } of shaking.values()) raw.destroy();
    },
  };
}

const farEnd = (socket: Socket): string => `${socket.remoteAddress} ${socket.remotePort}`;

/** Broken credentials leave the listener with those it has. */
function exchange(secure: TlsServer, authority: TlsOptions['authority'], log: Log): void {
  try {
    secure.setSecureContext(contextOf(authority));
  } catch (error) {
    log.error({ why: (error as Error).message }, 'the new server certificate cannot be used; the old one stays');
  }
}

function peerOfTls(socket: TLSSocket, authority: TlsOptions['authority']): Peer {
  const given = socket.getPeerX509Certificate();
  const certificate = given && authority.verifyClient(given);
  const address = socket.remoteAddress ?? '';
  return { transport: 'tls', address, owner: false, ...(certificate && { certificate }) };
}
