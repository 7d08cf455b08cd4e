/** What passes between a machine that joins and the supervisor, over HTTPS, and what the cluster's key signs for it. */
import { z } from 'zod';
import { isId } from '../names.ts';

export const roles = ['admin', 'operator', 'viewer', 'integration', 'node'] as const;
/** What a connection may do. `node` is never a person's. */
export type Role = (typeof roles)[number];
/** Roles that a user or an API token may have. */
export const userRole = z.enum(
  ['admin', 'operator', 'viewer', 'integration'],
  'admin, operator, viewer or integration',
);
export type UserRole = z.output<typeof userRole>;

const pem = z.string().max(8192).startsWith('-----BEGIN ');
const id = z.string().refine(isId, 'an id is 1 to 20 of a-z, 0-9 and "-", and not "all"');
const fingerprint = z.string().regex(/^[0-9a-f]{32}$/);
const fact = z.string().max(256);

/** What a machine says about itself when it asks to join. Nothing in it is proven; rules and people judge by it. */
export const joinFacts = z.object({
  hostname: fact,
  /** SHA-256, in hex, of `hearth/machine\n` and the machine-id, which itself is not told (machine-id(5)); absent where there is none. */
  machine: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** Hardware addresses, lower case, comma-joined, of interfaces that are not virtual. */
  macs: fact,
  os: fact,
  arch: fact,
  cores: z.number().int().positive().max(4096).optional(),
  mem_mb: z.number().finite().nonnegative().optional(),
  ver: z.string().max(32),
});
export type JoinFacts = z.output<typeof joinFacts>;

/** `POST /join`. */
export const joinRequest = z.object({
  proto: z.number().int().min(1).max(1000),
  /** PKCS#10, PEM; its key is ECDSA on P-256. Its subject is ignored: the supervisor says who the node is. */
  csr: pem,
  /** Public key of the node for sealed secrets: HPKE's DHKEM(P-256), raw, base64url (65 bytes). */
  seal_key: z.string().regex(/^[A-Za-z0-9_-]{87}$/),
  /** `ID.SECRET` of a join token. */
  token: z.string().max(128).optional(),
  /** The id that a person asked for on this machine, by `--node`. */
  node: id.optional(),
  inst: z.string().regex(/^[0-9a-f]{8,32}$/),
  facts: joinFacts,
  /**
   * The certificate that lies in this machine's folder, where another machine lives by it, too: the folder was copied. With
   * the signature of its key it stands for a token: ECDSA with SHA-256 (IEEE P1363, base64url) over `hearth/clone\n` and the
   * new CSR. Such a node gets an id of its own, whatever `node` says.
   */
  clone_of: z.object({ cert: pem, proof: z.string().max(256) }).optional(),
});
export type JoinRequest = z.output<typeof joinRequest>;

/** Statement of the cluster's key: who signs certificates. `text` is signed as `hearth/bundle\n` and its bytes. */
export const trustBundle = z.object({
  /** JSON of {@link bundleBody}. */
  text: z.string().max(64 * 1024),
  sig: z.string().max(128),
});
export type TrustBundle = z.output<typeof trustBundle>;

export const bundleBody = z.object({
  cluster: fingerprint,
  /** The cluster's raw Ed25519 public key, base64url. */
  key: z.string().max(64),
  /** Raised with every change of `ca`; a lower one than known is ignored. */
  serial: z.number().int().nonnegative(),
  /** CA certificates in PEM that are trusted, the issuing one first. */
  ca: z.array(pem).min(1).max(4),
  base: z.string().regex(/^[a-z0-9-]{1,9}$/),
});
export type BundleBody = z.output<typeof bundleBody>;

/** `GET /trust/time?nonce=…`: the supervisor's clock, signed as `hearth/time\n` and the text of {@link signedTimeBody}. */
export const signedTime = z.object({ text: z.string().max(1024), sig: z.string().max(128) });
export const signedTimeBody = z.object({ at_ms: z.number(), nonce: z.string().min(16).max(64) });

/** 200 and 202 of `POST /join`, `GET /join/<ticket>` and `POST /renew`. */
export const joinAnswer = z.discriminatedUnion('state', [
  z.object({
    state: z.literal('joined'),
    node: id,
    /** PEM of the node's certificate. */
    cert: pem,
    bundle: trustBundle,
    /** `mqtts://HOST:PORT`, the best first: where the supervisor is reached. */
    brokers: z.array(z.string().max(300)).max(16),
    at_ms: z.number(),
    /** What the rules and the approver said about it, for its `info`. */
    room: z.string().max(64).optional(),
    zone: z.string().max(64).optional(),
    /** Comma-joined. */
    roles: z.string().max(256).optional(),
  }),
  z.object({
    state: z.literal('pending'),
    /** Secret, for asking again. */
    ticket: z.string().max(64),
    /** Shown on both sides, for a person to compare: `joinCode` (shared/join-code.ts) of the CSR's key. */
    code: z.string().max(16),
    /** When to ask again. */
    retry_ms: z.number().int().min(200).max(600_000),
  }),
]);
export type JoinAnswer = z.output<typeof joinAnswer>;

/** `POST /renew`. The old certificate may have expired; revoked is revoked. */
export const renewRequest = z.object({
  csr: pem,
  cert: pem,
  /** By the key of `cert`: ECDSA with SHA-256 (IEEE P1363, base64url) over `hearth/renew\n` and the CSR. */
  proof: z.string().max(256),
  /** A changed key for sealed secrets. */
  seal_key: joinRequest.shape.seal_key.optional(),
});
export type RenewRequest = z.output<typeof renewRequest>;

/** The name in every server certificate, and what agents ask for by SNI: addresses change, the cluster does not. */
export const serverName = (cluster: string): string => `${cluster}.hearth.internal`;
