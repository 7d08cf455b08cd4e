/**
 * From what is known of the other end and what it says in CONNECT to a principal. Owners, certificates, sessions and
 * tokens are answered within the call; a password, or an owner that is still being looked up, later. What waits is
 * bounded in number and time, and who is revoked while waiting stays out.
 */
import type { Log } from '../../shared/log.ts';
import type { AuthAnswer, Authenticator, Credentials, Peer, Principal } from '../trust/types.ts';
import { isRevoked, principalKey, underClientId } from './principals.ts';

/** `busy`: too much to do, or no answer; not the client's fault. */
export interface Refusal {
  readonly refused: Extract<AuthAnswer, { refused: unknown }>['refused'] | 'busy';
  readonly sentence: string;
  readonly retryMs?: number;
}
export type Verdict = { readonly principal: Principal } | Refusal;

export interface LoginParts {
  /** `open`: whoever comes is this machine's owner. For tests and benches of the broker by itself. */
  readonly authenticator: Authenticator | 'open';
  readonly base: string;
  /** Passwords being checked at once, and for how long one may be. */
  readonly most: number;
  readonly limitMs: number;
  readonly log: Log;
}

const owner: Principal = { role: 'admin', name: 'owner', how: 'owner' };
const busy: Refusal = {
  refused: 'busy',
  sentence: 'too many are logging in: try again in a few seconds',
  retryMs: 5000,
};
const revoked: Refusal = { refused: 'revoked', sentence: 'this login was revoked' };
/** Between two lines about an authenticator that fails. */
const sayMs = 60_000;

interface Pending {
  readonly revoked: { readonly kind: 'node' | 'user'; readonly name: string }[];
}

export class Logins {
  private readonly parts: LoginParts;
  private readonly pending = new Set<Pending>();
  private saidAt = Number.NEGATIVE_INFINITY;

  constructor(parts: LoginParts) {
    this.parts = parts;
  }

  get waiting(): number {
    return this.pending.size;
  }

  /** @param peer later where its owner is still being looked up. @param done is called once, within the call where that is possible. */
  ask(peer: Peer | Promise<Peer>, credentials: Credentials, done: (verdict: Verdict) => void): void {
    if (!(peer instanceof Promise)) {
      this.authenticate(peer, credentials, done);
      return;
    }
    peer.then(
      known => this.authenticate(known, credentials, done),
      error => done(this.failed(error as Error)),
    );
  }

  /** Who is being checked right now is not let in on what was true before. */
  revoke(who: { readonly kind: 'node' | 'user'; readonly name: string }): void {
    for (const { revoked } of this.pending) revoked.push(who);
  }

  private authenticate(peer: Peer, credentials: Credentials, done: (verdict: Verdict) => void): void {
    const { authenticator } = this.parts;
    if (authenticator === 'open') {
      done(this.named({ principal: owner }, credentials));
      return;
    }
    if (this.pending.size >= this.parts.most) {
      // Those who need no time are still served.
      if (credentials.password !== undefined && !peer.certificate && !peer.session) {
        done(busy);
        return;
      }
    }
    let answer: AuthAnswer | Promise<AuthAnswer>;
    try {
      answer = authenticator.authenticate(peer, credentials);
    } catch (error) {
      done(this.failed(error as Error));
      return;
    }
    if (answer instanceof Promise) this.later(answer, credentials, done);
    else done(this.named(answer, credentials));
  }

  private later(answer: Promise<AuthAnswer>, credentials: Credentials, done: (verdict: Verdict) => void): void {
    const pending: Pending = { revoked: [] };
    this.pending.add(pending);
    let over = false;
    const finish = (verdict: Verdict) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      this.pending.delete(pending);
      const gone = 'principal' in verdict && this.wasRevoked(verdict.principal, pending);
      done(gone ? revoked : verdict);
    };
    const timer = setTimeout(() => finish(busy), this.parts.limitMs);
    answer.then(
      known => finish(this.named(known, credentials)),
      error => finish(this.failed(error as Error)),
    );
  }

  private wasRevoked(principal: Principal, { revoked }: Pending): boolean {
    const key = principalKey(principal);
    return revoked.some(who => isRevoked(key, who));
  }

  private named(answer: AuthAnswer, { clientId }: Credentials): Verdict {
    if ('refused' in answer) return answer;
    const principal = underClientId(answer.principal, this.parts.base, clientId);
    return typeof principal === 'string' ? { refused: 'client-id', sentence: principal } : { principal };
  }

  private failed(error: Error): Refusal {
    const now = performance.now();
    if (now - this.saidAt > sayMs) {
      this.saidAt = now;
      this.parts.log.error({ why: error.message }, 'logins cannot be checked');
    }
    return busy;
  }
}
