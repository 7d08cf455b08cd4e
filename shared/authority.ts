/**
 * Signed orders. A sealed message is a JSON object whose last key is `sig`: the signature covers the exact bytes before
 * it, prefixed with what the message is and for whom, so that nothing has to be re-serialised to be checked and an order
 * cannot be replayed to another node or as another kind. Ed25519 (RFC 8032) in production; the simulator brings its own.
 */
import { fail, ok, type Result } from './errors.ts';

export interface Signer {
  /** Fingerprint of the public key, 32 hex characters (first 16 bytes of its SHA-256). */
  readonly cluster: string;
  /** The raw public key, base64url. */
  readonly key: string;
  /** Signature, base64url, of fixed length. */
  sign(text: string): string;
}

export interface Verifier {
  /** The fingerprint of a public key as sent in a message; undefined where it is no key at all. */
  fingerprint(key: string): string | undefined;
  verify(key: string, text: string, signature: string): boolean;
}

export type OrderKind = 'want' | 'cmd' | 'work';

const context = (kind: OrderKind, node: string, body: string): string => `hearth/${kind}/${node}\n${body}`;

/** Serialises and signs. `body` must not have a key `sig`. */
export function seal(signer: Signer, kind: OrderKind, node: string, body: object): string {
  const text = JSON.stringify(body);
  return `${text.slice(0, -1)},"sig":"${signer.sign(context(kind, node, text))}"}`;
}

const tail = /^(.*),"sig":"([A-Za-z0-9_-]{1,128})"\}$/s;

export interface Opened {
  /** The body's JSON text without the signature, already verified. */
  readonly text: string;
}

/** Checks the signature of a sealed message against `key`. Says nothing about cluster, generation or revision. */
export function open(verifier: Verifier, key: string, kind: OrderKind, node: string, sealed: string): Result<Opened> {
  const match = tail.exec(sealed);
  if (!match) return fail('signature', `the ${kind} is not signed`);
  const text = `${match[1]}}`;
  if (!verifier.verify(key, context(kind, node, text), match[2] ?? '')) {
    return fail('signature', `the signature of the ${kind} does not fit the key of its cluster`);
  }
  return ok({ text });
}
