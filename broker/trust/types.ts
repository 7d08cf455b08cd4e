/** What the parts of trust tell each other. Each is implemented in a folder of its own and put together in main.ts. */
import type { X509Certificate } from 'node:crypto';
import type { z } from 'zod';
import type { Role, UserRole } from '../../shared/schemas/trust.ts';

/** Who a connection or a request is. */
export interface Principal {
  readonly role: Role;
  /** `owner`, a user's or token's name, or a node's id. */
  readonly name: string;
  /** `owner`: anonymous on loopback, and of the supervisor's own user or root. */
  readonly how: 'owner' | 'password' | 'token' | 'certificate';
}

/** What is known of the other end before it says anything. */
export interface Peer {
  readonly transport: 'tcp' | 'tls' | 'ws' | 'wss';
  /** IP address without a port. */
  readonly address: string;
  /** On loopback, and the socket belongs to the supervisor's own user or to root. */
  readonly owner: boolean;
  /** Client certificate, chain and validity already checked against this cluster's CA by {@link CertificateAuthority.verifyClient}. */
  readonly certificate?: CertifiedClient;
  /** WebSocket: who the HTTP session or its Authorization header says it is. */
  readonly session?: Principal;
}

/** Whom a valid client certificate of this cluster's CA names. */
export interface CertifiedClient {
  readonly kind: 'node' | 'user';
  readonly name: string;
  /** Of the certificate, hex, lower case. */
  readonly serial: string;
  /** When it was signed, epoch ms to the second. */
  readonly issuedMs?: number;
}

export interface Credentials {
  /** MQTT client id; empty for HTTP. */
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
}

export type AuthAnswer =
  | { readonly principal: Principal }
  /** `credentials`: wrong or none; `slow`: too many attempts, after `retryMs`; `revoked`; `client-id`: it belongs to somebody else. */
  | {
      readonly refused: 'credentials' | 'slow' | 'revoked' | 'client-id';
      readonly sentence: string;
      readonly retryMs?: number;
    };

/** Answers at once for owners, certificates, sessions and tokens; a password takes a moment. */
export interface Authenticator {
  authenticate(peer: Peer, credentials: Credentials): AuthAnswer | Promise<AuthAnswer>;
  /**
   * Called with who may not stay: a user whose password, role or existence changed, a revoked node. Connections and
   * sessions of that principal end.
   */
  onRevoked(listener: (who: { readonly kind: 'node' | 'user'; readonly name: string }) => void): void;
}

/** One line of the audit: who changed what. Never a secret. */
export interface AuditEntry {
  readonly at_ms: number;
  readonly who: string;
  readonly how: Principal['how'] | 'none' | 'rule';
  /** IP address, or `local`. */
  readonly from: string;
  /** Such as `token.create`, `login`, `set`. */
  readonly what: string;
  readonly target: string;
  readonly ok: boolean;
  readonly detail?: string;
}

export interface Audit {
  record(entry: Omit<AuditEntry, 'at_ms'>): void;
}

/**
 * Something that a person does to the cluster's trust, or reads of it: `POST /api/trust/<name>` with JSON `args`, and a
 * command of the command line. `run` throws UserError for what the person can mend.
 */
export interface AdminVerb<S extends z.ZodType = z.ZodType> {
  /** Such as `token.create`. */
  readonly name: string;
  /** Least role; `viewer` < `operator` < `admin`. */
  readonly role: Exclude<UserRole, 'integration'>;
  readonly args: S;
  /** It changes something, so it is audited with the `target` it names. */
  readonly audit?: (args: z.output<S>) => string;
  run(args: z.output<S>, by: Principal): Promise<object> | object;
}

/** Keeps the types of one verb together; the table of all of them forgets them. */
export const adminVerb = <S extends z.ZodType>(verb: AdminVerb<S>): AdminVerb => verb as unknown as AdminVerb;

/** Checks certificates; signs those of nodes and users; renews its own. */
export interface CertificateAuthority {
  /** The issuing CA certificate first, then the one it replaced, PEM. */
  certificates(): readonly string[];
  /** Raised with every change of {@link certificates}. */
  readonly serial: number;
  /** @throws UserError where the CSR is none, is not signed by its key, or the key is not P-256. */
  issueNode(csr: string, node: string): Promise<IssuedCertificate>;
  issueUser(csr: string, user: string): Promise<IssuedCertificate>;
  /** Key and chain for TLS listeners, with SANs for every address of this machine; changes over time: see `onServerCertificate`. */
  serverCredentials(): { readonly key: string; readonly cert: string; readonly ca: readonly string[] };
  onServerCertificate(listener: () => void): void;
  /** Undefined where it is not this cluster's, not a client's, or not valid by the supervisor's clock. Revocation is asked elsewhere. */
  verifyClient(certificate: X509Certificate): CertifiedClient | undefined;
  /** As verifyClient, but an expired one passes: for renewal. */
  verifyExpired(certificate: X509Certificate): CertifiedClient | undefined;
}

export interface IssuedCertificate {
  readonly pem: string;
  readonly serial: string;
  readonly notAfterMs: number;
}
