/**
 * Who may come in: users, API tokens, sessions of the web, and the one place that turns what a connection shows into a
 * principal. The front door of this folder.
 */
import type { Clock } from '../../../shared/clock.ts';
import type { Store } from '../../../shared/store.ts';
import type { AdminVerb, AuditEntry, Authenticator, CertifiedClient } from '../types.ts';
import { ApiTokens } from './api-tokens.ts';
import { apiVerbs, auditVerb } from './api-verbs.ts';
import { Attempts } from './attempts.ts';
import { createAuthenticator } from './authenticator.ts';
import type { Cost } from './password.ts';
import { PasswordCheck } from './password-check.ts';
import { Sessions } from './sessions.ts';
import { userVerbs } from './user-verbs.ts';
import { Users } from './users.ts';

export interface AccountsParts {
  /** Topic base: client ids that begin with it and "-" are for nodes. */
  readonly base: string;
  readonly store: Store;
  readonly clock: Clock;
  /** The supervisor's wall clock, ms; never below the build date. `clock.wall` where absent. */
  readonly now?: () => number;
  /** Who of the nodes may not stay: the joining desk. */
  readonly nodes: {
    isRevoked(client: CertifiedClient): boolean;
    onRevoked(listener: (node: string) => void): void;
  };
  /** What a password's hash costs; {@link presentCost} where absent. */
  readonly passwordCost?: Cost;
  /** Writes down refused logins and what changes; {@link openAudit}. */
  readonly audit: {
    record(entry: Omit<AuditEntry, 'at_ms'>): void;
    tail(n: number): readonly AuditEntry[];
  };
}

export interface Accounts {
  readonly authenticator: Authenticator;
  /** For the web's cookies. Log in: `authenticator.authenticate`, then `sessions.open(principal, address)`. */
  readonly sessions: Sessions;
  /** `user.*`, `api.*`, `audit.tail`. */
  readonly verbs: readonly AdminVerb[];
  /**
   * The CA has issued a user's certificate: only serials told here count, so that removing a user ends them.
   * @throws UserError where there is no such user.
   */
  certificateIssued(user: string, serial: string, notAfterMs: number): Promise<void>;
  hasUser(name: string): boolean;
  /** Whether anybody could log in. */
  hasUsers(): boolean;
  close(): void;
}

/** Expired tokens and sessions lose what is connected by them within this. */
const sweepMs = 30_000;

export async function openAccounts(parts: AccountsParts): Promise<Accounts> {
  const { store, clock, audit, base, nodes } = parts;
  const now = parts.now ?? (() => clock.wall());
  const listeners: ((who: { readonly kind: 'node' | 'user'; readonly name: string }) => void)[] = [];
  const revoked = (kind: 'node' | 'user', name: string) => {
    for (const listener of listeners) listener({ kind, name });
  };
  const users = await Users.load(store, now);
  const tokens = await ApiTokens.load(store, now);
  const sessions = await Sessions.load({ store, now, standing: name => users.standing(name) });
  const passwords = new PasswordCheck(users, clock, parts.passwordCost);
  const attempts = new Attempts();
  const ends = async (name: string): Promise<void> => {
    const closed = sessions.closeAll(name);
    revoked('user', name);
    await closed;
  };
  nodes.onRevoked(node => revoked('node', node));
  const core = createAuthenticator({
    base,
    users,
    tokens,
    passwords,
    attempts,
    isRevoked: client => nodes.isRevoked(client),
    audit,
    clock,
  });
  const every = setInterval(() => {
    sessions.sweep();
    for (const name of tokens.expired()) revoked('user', name);
  }, sweepMs).unref();
  return {
    authenticator: { ...core, onRevoked: listener => void listeners.push(listener) },
    sessions,
    verbs: [
      ...userVerbs({ users, tokens, sessions, passwords, attempts, clock, ends }),
      ...apiVerbs({ users, tokens, now, ends }),
      auditVerb(audit),
    ],
    certificateIssued: (user, serial, notAfterMs) => users.addCertificate(user, serial, notAfterMs),
    hasUser: name => users.get(name) !== undefined,
    hasUsers: () => !users.all().next().done,
    close: () => clearInterval(every),
  };
}
