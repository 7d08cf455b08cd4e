/**
 * Keys and signatures that cost nothing: a key is its owner's name, a signature names the key and a hash of the text.
 * They bind what real ones bind; that Ed25519 does too is the business of its own tests.
 */
import type { Signer, Verifier } from '../../shared/authority.ts';
import { hashText } from './random.ts';

const fingerprintOf = (key: string): string => {
  const part = hashText(key).toString(16).padStart(8, '0');
  return part + part + part + part;
};

const signature = (key: string, text: string): string =>
  `${key}_${hashText(text).toString(16)}_${hashText(text, 7).toString(16)}`;

export const simSigner = (name: string): Signer => ({
  cluster: fingerprintOf(name),
  key: name,
  sign: text => signature(name, text),
});

export const simVerifier: Verifier = {
  fingerprint: fingerprintOf,
  verify: (key, text, given) => given === signature(key, text),
};

/** Believes whoever calls himself what the node expects. */
export const gullibleVerifier: Verifier = {
  fingerprint: key => fingerprintOf(key.split('-')[0] ?? ''),
  verify: () => true,
};

/** A signer that claims the cluster of `name` with another key; only {@link gullibleVerifier} falls for it. */
export const impostorSigner = (name: string): Signer => ({
  ...simSigner(`${name}-impostor`),
  cluster: fingerprintOf(name),
});
