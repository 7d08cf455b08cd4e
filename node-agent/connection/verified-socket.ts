/** A TLS connection that says nothing before the other end has been verified. */
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { type Distrust, type ServerCheck, verifyServer } from './verify-server.ts';

export interface SecureTarget {
  readonly host: string;
  readonly port: number;
  /** Sent as SNI; absent where the cluster is not known yet. */
  readonly servername?: string;
  /**
   * Who may answer: this cluster's supervisor; whoever the machine's own list of CAs trusts; or anybody, where what is
   * fetched is signed in itself and nothing is told.
   */
  readonly trust: ServerCheck | 'machine' | 'anybody';
  /** This node's own certificate and key, PEM. */
  readonly identity?: { readonly cert: string; readonly key: string };
  readonly timeoutMs: number;
}

export interface SecureFailure {
  /** Undefined: it could not be reached. */
  readonly why?: Distrust;
  readonly sentence: string;
}

export interface SecureHandlers {
  /** @param direct see {@link verifyServer}. */
  ready(socket: TLSSocket, direct: boolean): void;
  /** Instead of `ready`, once. */
  failed(failure: SecureFailure): void;
}

const fine = { ok: true, direct: true } as const;

/** @returns how to give up; `failed` follows. */
export function openVerified(target: SecureTarget, on: SecureHandlers): () => void {
  const { host, port, servername, trust, identity, timeoutMs } = target;
  let over = false;
  const socket = connect({
    ...{ host, port, minVersion: 'TLSv1.2' as const },
    // Node's own check goes by this machine's clock. `verifyServer` takes its place, and nothing is written before it.
    rejectUnauthorized: trust === 'machine',
    // Nor are the world's CAs of use then, which take 20 ms to read, and a megabyte.
    ...(trust === 'machine' ? {} : { ca: [] }),
    ...(servername === undefined ? {} : { servername }),
    ...(identity === undefined ? {} : { cert: identity.cert, key: identity.key }),
  });
  const fail = (failure: SecureFailure) => {
    if (over) return;
    over = true;
    clearTimeout(late);
    socket.destroy();
    on.failed(failure);
  };
  const late = setTimeout(() => fail({ sentence: `no answer within ${timeoutMs / 1000} s` }), timeoutMs);
  socket.setNoDelay(true);
  const onError = (error: NodeJS.ErrnoException) => fail({ sentence: sentenceOf(error) });
  const onClose = () => fail({ sentence: 'the connection was lost before it was secure' });
  socket.on('error', onError);
  socket.once('close', onClose);
  socket.once('secureConnect', () => {
    if (over) return;
    const verdict = typeof trust === 'object' ? verifyServer(chainOf(socket), trust) : fine;
    if (!verdict.ok) return fail({ why: verdict.why, sentence: verdict.sentence });
    over = true;
    clearTimeout(late);
    socket.off('close', onClose);
    on.ready(socket, verdict.direct);
    // Whoever has the socket now listens for errors of its own.
    socket.off('error', onError);
  });
  return () => fail({ sentence: 'given up' });
}

function chainOf(socket: TLSSocket): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  // A root's issuer is itself.
  for (let depth = 0; next?.raw && depth < 8; depth++) {
    chain.push(next.raw);
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return chain;
}

function sentenceOf(error: NodeJS.ErrnoException): string {
  // OpenSSL's sentences are for its own people: "80AB...:error:0A00010B:SSL routines:...:wrong version number:...".
  if (error.code === 'ERR_SSL_WRONG_VERSION_NUMBER' || error.code === 'EPROTO') return 'it does not speak TLS there';
  if (error.code?.startsWith('ERR_SSL_')) return `TLS failed (${error.code.slice('ERR_SSL_'.length).toLowerCase()})`;
  return error.code ?? error.message;
}
