/** From what a connection shows to who it is. Decides in one order, and says the same of a wrong name as of a wrong password. */
import type { Clock } from '../../../shared/clock.ts';
import { clientIdOf, nodeOfClientId } from '../../../shared/topics.ts';
import type { Audit, AuthAnswer, Authenticator, CertifiedClient, Credentials, Peer, Principal } from '../types.ts';
import { type ApiTokens, looksLikeToken } from './api-tokens.ts';
import type { Attempts } from './attempts.ts';
import type { PasswordCheck } from './password-check.ts';
import type { Users } from './users.ts';

export interface AuthenticatorParts {
  readonly base: string;
  readonly users: Users;
  readonly tokens: ApiTokens;
  readonly passwords: PasswordCheck;
  readonly attempts: Attempts;
  /** Of a node's certificate. */
  readonly isRevoked: (client: CertifiedClient) => boolean;
  readonly audit: Audit;
  readonly clock: Clock;
}

const loginNeeded =
  'A login is needed here: user name and password, an API token as password, or a client certificate of this cluster.';
const wrongPassword = 'The user name or the password is wrong.';
const wrongToken = 'The API token is wrong, has expired or was revoked.';
/** Longer ones are nobody's, and would only cost time. */
const longestName = 64;
const longestPassword = 1024;

/** By what the audit names a login: an MQTT client, or the web. */
const targetOf = ({ clientId }: Credentials): string => (clientId === '' ? 'http' : clientId);
const seconds = (ms: number): string => `${Math.max(1, Math.ceil(ms / 1000))} s`;

export function createAuthenticator(parts: AuthenticatorParts): Pick<Authenticator, 'authenticate'> {
  const { base, users, tokens, passwords, attempts, audit, clock } = parts;

  return {
    authenticate(peer, credentials) {
      const { certificate, session } = peer;
      const { username, password } = credentials;
      if (certificate) return settle(peer, credentials, certified(certificate));
      // Who is the owner in the browser may still show something else, or be a simulated node.
      if (session && session.how !== 'owner') return settle(peer, credentials, { principal: session });
      if (password !== undefined && looksLikeToken(password)) {
        const principal = password.length <= longestPassword ? tokens.principal(password) : undefined;
        return settle(peer, credentials, principal ? { principal } : { refused: 'credentials', sentence: wrongToken });
      }
      if (username || password) return byPassword(peer, credentials, username ?? '', password ?? '');
      if (peer.owner || session) return { principal: owner(credentials.clientId) };
      return settle(peer, credentials, { refused: 'credentials', sentence: loginNeeded });
    },
  };

  /** Nodes on the supervisor's own machine, and what simulates some, connect without a word. */
  function owner(clientId: string): Principal {
    const node = nodeOfClientId(base, clientId);
    return node === undefined
      ? { role: 'admin', name: 'owner', how: 'owner' }
      : { role: 'node', name: node, how: 'owner' };
  }

  function certified(client: CertifiedClient): AuthAnswer {
    const { kind, name, serial } = client;
    if (kind === 'node') {
      if (!parts.isRevoked(client)) return { principal: { role: 'node', name, how: 'certificate' } };
      return {
        refused: 'revoked',
        sentence: `The certificate of node ${name} was revoked: join again with a new token.`,
      };
    }
    const user = users.get(name);
    if (user && users.hasCertificate(name, serial)) return { principal: { role: user.role, name, how: 'certificate' } };
    return {
      refused: 'revoked',
      sentence: `The certificate of user ${name} does not count any more: get a new one, or come without it.`,
    };
  }

  function byPassword(
    peer: Peer,
    credentials: Credentials,
    name: string,
    password: string,
  ): AuthAnswer | Promise<AuthAnswer> {
    if (name.length > longestName || password.length > longestPassword) {
      return settle(peer, credentials, { refused: 'credentials', sentence: wrongPassword });
    }
    const { address } = peer;
    const waitMs = attempts.wait(address, name, clock.now());
    if (waitMs > 0 && !passwords.underWay(name, password)) return settle(peer, credentials, slow(waitMs));
    const conclude = (right: boolean | 'busy'): AuthAnswer => {
      // Asked again at the end: a password that was changed while this one was worked out is another.
      const user = right === true ? users.get(name) : undefined;
      if (user) return settle(peer, credentials, { principal: { role: user.role, name, how: 'password' } });
      const answer: AuthAnswer = right === 'busy' ? slow(2000) : { refused: 'credentials', sentence: wrongPassword };
      return settle(peer, credentials, answer);
    };
    if (passwords.isRecent(name, password)) {
      const known = attempts.isKnown(address, name);
      attempts.good(address, name);
      if (!known) loggedIn(peer, credentials, name);
      return conclude(true);
    }
    const shared = passwords.underWay(name, password);
    // The one that began it counts for all.
    if (shared) return shared.then(conclude);
    const attempt = attempts.begin(address, name, clock.now());
    return passwords.check(name, password).then(right => {
      attempt.end(right === 'busy' ? 'busy' : right ? 'good' : 'wrong', clock.now());
      if (right === true) loggedIn(peer, credentials, name);
      return conclude(right);
    });
  }

  function slow(waitMs: number): AuthAnswer {
    return {
      refused: 'slow',
      sentence: `Too many logins have failed: try again in ${seconds(waitMs)}.`,
      retryMs: waitMs,
    };
  }

  /** The client id has to fit who it is; what is refused is written down. */
  function settle(peer: Peer, credentials: Credentials, answer: AuthAnswer): AuthAnswer {
    const final = 'principal' in answer ? fitting(answer.principal, credentials.clientId) : answer;
    if ('refused' in final) {
      const name = peer.certificate?.name ?? credentials.username;
      // What is no name may be a password in the wrong field.
      const who = name !== undefined && (peer.certificate || users.get(name)) ? name : 'unknown';
      const target = targetOf(credentials);
      audit.record({ who, how: 'none', from: peer.address, what: 'login', target, ok: false, detail: final.refused });
    }
    return final;
  }

  /** @param clientId empty: no MQTT. */
  function fitting(principal: Principal, clientId: string): AuthAnswer {
    if (clientId === '') return { principal };
    if (principal.role === 'node') {
      const own = clientIdOf(base, principal.name);
      if (clientId === own) return { principal };
      return {
        refused: 'client-id',
        sentence: `Node ${principal.name} connects with the client id ${own} and no other.`,
      };
    }
    if (!clientId.startsWith(`${base}-`)) return { principal };
    return {
      refused: 'client-id',
      sentence: `Client ids that begin with "${base}-" are for nodes: choose another one.`,
    };
  }

  function loggedIn(peer: Peer, credentials: Credentials, name: string): void {
    const target = targetOf(credentials);
    audit.record({ who: name, how: 'password', from: peer.address, what: 'login', target, ok: true });
  }
}
