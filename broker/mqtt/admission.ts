/**
 * Who a connection is and whether it may stay: from CONNECT to a principal, and the end of principals that were revoked.
 * A client id belongs to the principal that uses it, or that has a session kept under it.
 */

import { printable } from '../../shared/names.ts';
import { ConnectLimits, type Place } from '../access/connect-limits.ts';
import { Logins, type Refusal, type Verdict } from '../access/login.ts';
import { network } from '../access/network.ts';
import { isRevoked, keyOfUnnamed, principalKey } from '../access/principals.ts';
import { isLoopback } from '../access/proc-tcp.ts';
import type { Authenticator, Credentials, Peer, Principal } from '../trust/types.ts';
import type { Clients, ClientsParts } from './clients.ts';
import type { Connection } from './connection.ts';

/** Where nothing is known of the other end: nobody in particular. */
export const unknownPeer: Peer = { transport: 'ws', address: '', owner: false };

/** Between two lines about connections and logins that were refused. */
const sayMs = 60_000;
/** Other users of this machine share one count. */
const otherUsers = 'another user of this machine';

export class Admission {
  readonly counts = { turnedAway: 0, refusedLogins: 0 };
  private readonly parts: ClientsParts;
  private readonly clients: Clients;
  private readonly logins: Logins;
  private readonly limits: ConnectLimits;
  private readonly saidAt = new Map<string, number>();

  constructor(parts: ClientsParts, clients: Clients) {
    this.parts = parts;
    this.clients = clients;
    const { authenticator, base, limits, log } = parts;
    this.logins = new Logins({
      ...{ authenticator, base, log },
      most: limits.loginsAtOnce,
      limitMs: limits.loginMs,
    });
    this.limits = new ConnectLimits({
      perAddress: limits.connectionsPerAddress,
      waitingPerAddress: limits.waitingPerAddress,
      waiting: limits.waiting,
      connectsPerSecond: limits.connectsPerSecond,
      connectsAtOnce: limits.connectsAtOnce,
      perPrincipal: limits.connectionsPerPrincipal,
    });
    if (authenticator !== 'open') authenticator.onRevoked(who => this.revoke(who));
  }

  /** For a connection from the network, before a byte of it is read. @returns undefined where it is one too many. */
  place(address: string): Place | undefined {
    const place = this.limits.arrived(network(address), this.parts.now());
    if (!place) this.turnAway('no more connections are taken from an address', { address });
    return place;
  }

  /** Whoever is on this machine has a place once it is known who it is; owners need none. */
  private placeOf(connection: Connection, peer: Peer): boolean {
    if (connection.place || peer.owner || this.parts.authenticator === 'open') return true;
    const place = this.place(peer.address === '' || isLoopback(peer.address) ? otherUsers : peer.address);
    if (!place) return false;
    connection.place = place;
    if (connection.closed) place.left();
    return true;
  }

  arrived(connection: Connection, peer: Peer | Promise<Peer>): void {
    const known = (now: Peer) => {
      connection.peer = now;
      if (!this.placeOf(connection, now)) connection.destroy();
    };
    if (peer instanceof Promise) peer.then(known, () => connection.destroy());
    else known(peer);
  }

  /** @param done is called unless the connection is over by then; with nothing where it is let in. */
  ask(connection: Connection, credentials: Credentials, done: (refusal?: Refusal) => void): void {
    this.logins.ask(connection.peer, credentials, verdict => {
      if (connection.closed || connection.ended) return;
      done(this.judge(connection, credentials.clientId, verdict));
    });
  }

  private judge(connection: Connection, clientId: string, verdict: Verdict): Refusal | undefined {
    const refusal = 'principal' in verdict ? this.take(connection, clientId, verdict.principal) : verdict;
    if (!refusal) return undefined;
    this.counts.refusedLogins++;
    this.say('a login was refused', { client: printable(clientId), why: refusal.sentence });
    return refusal;
  }

  private take(connection: Connection, clientId: string, principal: Principal): Refusal | undefined {
    const { kept, limits } = this.parts;
    if (clientId.length > limits.clientIdCharacters) {
      return { refused: 'client-id', sentence: `a client id is at most ${limits.clientIdCharacters} characters long` };
    }
    const key = principalKey(principal);
    const holder = this.clients.registry.holder(clientId);
    const keptBy = kept.whose(clientId);
    if ((holder && holder.key !== key) || (keptBy !== undefined && keptBy !== key)) {
      return { refused: 'client-id', sentence: 'this client id belongs to somebody else: choose another' };
    }
    if (key !== 'owner' && principal.how !== 'owner' && this.parts.authenticator !== 'open') {
      const leave = this.limits.loggedIn(key);
      if (!leave) return { refused: 'busy', sentence: 'this login has too many connections', retryMs: 60_000 };
      connection.leave = leave;
    }
    connection.place?.known();
    connection.become(clientId, principal, key);
    return undefined;
  }

  private revoke(who: Parameters<Parameters<Authenticator['onRevoked']>[0]>[0]): void {
    this.logins.revoke(who);
    const ends = (key: string) => isRevoked(key, who);
    for (const connection of this.clients.all()) if (ends(connection.key)) this.clients.kick(connection);
    this.parts.kept.forgetOf(ends);
  }

  turnAway(text: string, fields: object): void {
    this.counts.turnedAway++;
    this.say(text, fields);
  }

  /** Said once in a while: who is turned away comes back. */
  private say(text: string, fields: object): void {
    const now = this.parts.now();
    if (now - (this.saidAt.get(text) ?? Number.NEGATIVE_INFINITY) < sayMs) return;
    this.saidAt.set(text, now);
    this.parts.log.warn(fields, text);
  }
}

/** Of sessions from before they had an owner. */
export const ownerOfKept = (base: string, clientId: string, who: unknown): string =>
  typeof who === 'string' ? who : keyOfUnnamed(base, clientId);
