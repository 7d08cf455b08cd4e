/** Ed25519 (RFC 8032) from node:crypto behind the {@link Signer} and {@link Verifier} of authority.ts. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { Signer, Verifier } from './authority.ts';

/** DER prefix of an Ed25519 SubjectPublicKeyInfo (RFC 8410): the 32 raw bytes follow. */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

const fingerprintOf = (raw: Buffer): string => createHash('sha256').update(raw).digest('hex').slice(0, 32);

/** @param pem a PKCS#8 private key. Throws where it is not an Ed25519 key. */
export function signerFromPem(pem: string): Signer {
  const privateKey = createPrivateKey(pem);
  if (privateKey.asymmetricKeyType !== 'ed25519') throw new Error('the cluster key is not an Ed25519 key');
  const raw = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(spkiPrefix.length);
  return {
    cluster: fingerprintOf(raw),
    key: raw.toString('base64url'),
    sign: text => sign(null, Buffer.from(text), privateKey).toString('base64url'),
  };
}

/** A verifier that keeps the last key it was given: an agent sees one cluster for ever. */
export function ed25519Verifier(): Verifier {
  let last: { key: string; object: KeyObject } | undefined;
  const raw = (key: string): Buffer | undefined => {
    const bytes = Buffer.from(key, 'base64url');
    return bytes.length === 32 ? bytes : undefined;
  };
  const objectOf = (key: string): KeyObject | undefined => {
    if (last?.key === key) return last.object;
    const bytes = raw(key);
    if (!bytes) return undefined;
    const object = createPublicKey({ key: Buffer.concat([spkiPrefix, bytes]), format: 'der', type: 'spki' });
    last = { key, object };
    return object;
  };
  return {
    fingerprint(key) {
      const bytes = raw(key);
      return bytes && fingerprintOf(bytes);
    },
    verify(key, text, signature) {
      const object = objectOf(key);
      return object !== undefined && verify(null, Buffer.from(text), object, Buffer.from(signature, 'base64url'));
    },
  };
}
