/**
 * Says who makes a request or opens a WebSocket: by an API token, a session's cookie, a client certificate, or because the
 * connection is the owner's own. What was said explicitly counts first; a token that is not good is refused, never ignored.
 */
import type { IncomingMessage } from 'node:http';
import type { AuthAnswer, Peer, Principal } from '../trust/types.ts';
import { readSessionCookie } from './cookie.ts';
import type { Arrival } from './front.ts';
import type { WebSession, WebTrust } from './seams.ts';

/** Who somebody is, and for how long. */
export interface Known {
  readonly principal: Principal;
  /** Only where a cookie said who it is: then what changes something must repeat its CSRF token. */
  readonly session?: WebSession;
  /** Said with the request, by cookie or token, and not known from the connection. */
  readonly said: boolean;
  /** Whether the same would be let in now, for what stays open for long. */
  still(): Promise<boolean>;
}

export interface Refused {
  readonly status: 401 | 429;
  readonly sentence: string;
  readonly retryMs?: number;
}

/** Undefined: nobody in particular. */
export type Asker = Known | Refused | undefined;

export const isKnown = (asker: Asker): asker is Known => asker !== undefined && 'principal' in asker;

/** Where there is no trust to ask, there is only loopback, and it is open. */
const owner: Principal = { role: 'admin', name: 'owner', how: 'owner' };
const openDoor: Known = { principal: owner, said: false, still: async () => true };

/** A proxy on this machine speaks for somebody else, whoever it runs as. */
const proxyHeaders = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip'];

export class Doorkeeper {
  readonly #trust: WebTrust | undefined;
  readonly #port: () => number;
  /** The socket table is read once per connection. */
  readonly #owners = new WeakMap<Arrival['ends'], Promise<boolean>>();

  constructor(trust: WebTrust | undefined, port: () => number) {
    this.#trust = trust;
    this.#port = port;
  }

  async peer(request: IncomingMessage, arrival: Arrival, transport: 'http' | 'ws'): Promise<Peer> {
    const { address, secure } = arrival;
    const certificate = arrival.certified();
    const names = { http: ['tcp', 'tls'], ws: ['ws', 'wss'] } as const;
    return {
      transport: names[transport][secure ? 1 : 0],
      address,
      owner: await this.#owner(request, arrival),
      ...(certificate && { certificate }),
    };
  }

  async identify(request: IncomingMessage, arrival: Arrival): Promise<Asker> {
    const trust = this.#trust;
    if (!trust) return openDoor;
    const { authorization } = request.headers;
    if (authorization !== undefined) return this.#byToken(trust, authorization, arrival);
    const id = readSessionCookie(request.headers.cookie, arrival.secure, this.#port());
    const session = trust.sessions.find(id);
    if (session) {
      return {
        principal: session.principal,
        session,
        said: true,
        still: async () => trust.sessions.find(id) !== undefined,
      };
    }
    const ask = async () => {
      const peer = await this.peer(request, arrival, 'http');
      if (!peer.certificate && !peer.owner) return undefined;
      return trust.authenticator.authenticate(peer, { clientId: '' });
    };
    return known(await ask(), ask, false);
  }

  /** The session that a request's cookie names, for logging out. */
  sessionId(request: IncomingMessage, arrival: Arrival): string | undefined {
    return readSessionCookie(request.headers.cookie, arrival.secure, this.#port());
  }

  async #byToken(trust: WebTrust, authorization: string, { address, secure }: Arrival): Promise<Asker> {
    const token = /^Bearer +([A-Za-z0-9._~+/-]{1,512}=*) *$/i.exec(authorization)?.[1];
    if (token === undefined) {
      return {
        status: 401,
        sentence: 'The Authorization header is not "Bearer TOKEN" with a token of "hearth api create".',
      };
    }
    // Who sends a token means that one, whatever else the connection shows.
    const peer: Peer = { transport: secure ? 'tls' : 'tcp', address, owner: false };
    const ask = async () => trust.authenticator.authenticate(peer, { clientId: '', password: token });
    return known(await ask(), ask, true);
  }

  #owner(request: IncomingMessage, arrival: Arrival): Promise<boolean> {
    if (!this.#trust) return Promise.resolve(true);
    if (!arrival.loopback || proxyHeaders.some(name => request.headers[name] !== undefined))
      return Promise.resolve(false);
    let found = this.#owners.get(arrival.ends);
    if (!found) {
      found = Promise.resolve(this.#trust.owners.isOwner(arrival.ends));
      this.#owners.set(arrival.ends, found);
    }
    return found;
  }
}

function known(answer: AuthAnswer | undefined, again: () => Promise<AuthAnswer | undefined>, said: boolean): Asker {
  if (answer === undefined) return undefined;
  if ('refused' in answer) {
    const { refused, sentence, retryMs } = answer;
    return { status: refused === 'slow' ? 429 : 401, sentence, ...(retryMs !== undefined && { retryMs }) };
  }
  const { principal } = answer;
  return {
    principal,
    said,
    async still() {
      const now = await again();
      return now !== undefined && 'principal' in now && now.principal.role === principal.role;
    },
  };
}
