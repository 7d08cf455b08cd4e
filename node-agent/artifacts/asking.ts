/** One question over HTTP, and who is asked: a web server, or this node's supervisor over its own TLS identity. */
import { type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { printable } from '../../shared/names.ts';
import { openVerified } from '../connection/verified-socket.ts';
import { openTimeoutMs } from '../connection/way.ts';
import { FetchError, networkError } from './fetch-error.ts';
import { redirected, shown, type WebPlace } from './source.ts';
import type { SupervisorAt } from './supervisor-at.ts';

export interface Asked {
  /** The first byte that is wanted; 0 for all of it. */
  readonly from: number;
  readonly signal: AbortSignal;
}

/** The answer's head has come; its body is read or destroyed by who asked. */
export type Opened = IncomingMessage;

const redirects = [301, 302, 303, 307, 308];
/** With one of these there is something to read, or to learn. */
const good = [200, 206, 416];

const headersFor = ({ from }: Asked): Record<string, string> => ({
  'user-agent': 'hearth-agent',
  accept: '*/*',
  // The bytes as they are, which the hash is of.
  'accept-encoding': 'identity',
  connection: 'close',
  ...(from > 0 && { range: `bytes=${from}-` }),
});

/** @throws FetchError. */
export async function askWeb(place: WebPlace, asked: Asked): Promise<Opened> {
  let at = place;
  for (let hops = 0; ; hops++) {
    const { url, auth } = at;
    const options: RequestOptions = { headers: headersFor(asked), agent: false, ...(auth !== undefined && { auth }) };
    const answer = await ask(url, options, asked.signal).catch(error =>
      Promise.reject(networkError(error, shown(url), false)),
    );
    const { statusCode = 0 } = answer;
    if (good.includes(statusCode)) return answer;
    answer.destroy();
    if (!redirects.includes(statusCode)) throw statusError(statusCode, shown(url));
    at = redirected(at, answer.headers.location, hops);
  }
}

function ask(url: URL, options: RequestOptions, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? tlsRequest : plainRequest;
    const asking = request(url, { ...options, signal }, resolve);
    // It stays: what goes wrong after the head is told to whoever reads the body.
    asking.on('error', error => reject(signal.aborted ? signal.reason : error));
    asking.end();
  });
}

/** 408, 425 and 429 and the server's own faults pass; what is not there, or not for us, stays so. */
export function statusError(status: number, name: string): FetchError {
  const why: Readonly<Record<number, string>> = {
    401: 'it wants a login (401)',
    403: 'it may not be had (403)',
    404: 'it is not there (404)',
    410: 'it is not there any more (410)',
  };
  const later = status >= 500 || [408, 425, 429].includes(status);
  return new FetchError(`${name}: ${why[status] ?? `it answered ${status}`}`, later);
}

/**
 * The supervisor's own store. Its addresses are tried in turn.
 * @throws FetchError.
 */
export async function askSupervisor(at: SupervisorAt | undefined, sha256: string, asked: Asked): Promise<Opened> {
  let last = new FetchError(
    `artifact ${sha256} is in the store of a supervisor, and this node knows none that it could ask: join it with a token`,
    true,
  );
  for (const url of at?.urls ?? []) {
    const name = `artifact ${sha256} at ${printable(url, 100)}`;
    try {
      const answer = await askStore(new URL(`/artifacts/${sha256}`, url), at, asked);
      const { statusCode = 0 } = answer;
      if (good.includes(statusCode)) return answer;
      answer.destroy();
      // A person puts it there after the document that names it, as often as before.
      throw statusCode === 404
        ? new FetchError(
            `${name}: the supervisor has no such artifact: put it there with "hearth artifact put FILE"`,
            true,
          )
        : new FetchError(statusError(statusCode, name).message, true);
    } catch (error) {
      if (asked.signal.aborted) throw asked.signal.reason;
      last = networkError(error, name, false);
    }
  }
  throw last;
}

async function askStore(url: URL, at: SupervisorAt | undefined, asked: Asked): Promise<Opened> {
  const headers = headersFor(asked);
  if (!at?.tls) return ask(url, { headers, agent: false }, asked.signal);
  const socket = await verifiedSocket(url, at.tls, asked.signal);
  // Plain HTTP, spoken over a connection that is secure and verified already.
  const over = { headers: { ...headers, host: url.host }, createConnection: () => socket };
  return ask(new URL(url.pathname, 'http://supervisor'), over, asked.signal).catch(error => {
    socket.destroy();
    throw error;
  });
}

export function verifiedSocket(url: URL, { trust, identity }: NonNullable<SupervisorAt['tls']>, signal: AbortSignal) {
  const target = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443), servername: trust.name };
  return new Promise<TLSSocket>((resolve, reject) => {
    const giveUp = openVerified(
      { ...target, trust, identity, timeoutMs: openTimeoutMs },
      {
        ready(socket) {
          signal.removeEventListener('abort', giveUp);
          // openVerified lets go of its errors in this turn, and HTTP takes them up in a later one.
          socket.on('error', () => {});
          resolve(socket);
        },
        failed: ({ sentence, why }) => {
          signal.removeEventListener('abort', giveUp);
          const who = why === undefined ? sentence : `who answers is not this cluster's supervisor: ${sentence}`;
          reject(new FetchError(`${printable(url.host, 100)}: ${who}`, true));
        },
      },
    );
    signal.addEventListener('abort', giveUp, { once: true });
  });
}
