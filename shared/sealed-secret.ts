/**
 * Secrets in desired state: HPKE (RFC 9180, base mode) with DHKEM(P-256, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM. Sealed
 * by whoever sets one, to the key of one node; `info` and `aad` name the place. Loads a library: import it when it is needed.
 */
import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core';
import { longestSecret, placeText, type SecretPlace, sealedParts, sealedText } from './sealed-value.ts';
import { UserError } from './user-error.ts';

const suite = () => new CipherSuite({ kem: new DhkemP256HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text));
const decoder = new TextDecoder('utf-8', { fatal: true });

/** A node's key pair for sealed secrets, as JWK (RFC 7517): `d` is the secret part. */
export interface SealKeyPair {
  readonly x: string;
  readonly y: string;
  readonly d: string;
}

/**
 * @param sealKey the node's public key: an uncompressed point, base64url (`seal_key` of its `info`).
 * @throws UserError where the key is none, or the text cannot be a value of an environment.
 */
export async function sealSecret(sealKey: string, place: SecretPlace, text: string): Promise<string> {
  const plain = bytesOf(text);
  if (plain.length > longestSecret) {
    throw new UserError(`This secret has ${plain.length} bytes, and at most ${longestSecret} can be sealed.`);
  }
  if (text.includes('\0'))
    throw new UserError('A secret may not contain a NUL character: no environment can carry it.');
  const hpke = suite();
  const point = Uint8Array.from(Buffer.from(sealKey, 'base64url'));
  const recipientPublicKey = await hpke.kem.deserializePublicKey(point.buffer).catch(() => {
    throw new UserError(`The seal key of ${place.node} is no public key on P-256: nothing was sealed.`);
  });
  const bound = bytesOf(placeText(place)).buffer;
  const { enc, ct } = await hpke.seal({ recipientPublicKey, info: bound }, plain.buffer, bound);
  return sealedText(new Uint8Array(enc), new Uint8Array(ct));
}

/** @throws Error with one sentence: which of the two it was, another key or another place, cannot be told apart. */
export async function openSecret({ x, y, d }: SealKeyPair, place: SecretPlace, value: string): Promise<string> {
  const parts = sealedParts(value);
  if (!parts) throw new Error('it is no sealed value that this agent knows: set it anew with "hearth secret set"');
  const hpke = suite();
  const bound = bytesOf(placeText(place)).buffer;
  const key = { kty: 'EC', crv: 'P-256', x, y } as const;
  const recipientKey = {
    publicKey: await hpke.kem.importKey('jwk', key, true),
    privateKey: await hpke.kem.importKey('jwk', { ...key, d }, false),
  };
  let plain: ArrayBuffer;
  try {
    const { enc, ciphertext } = parts;
    plain = await hpke.open({ recipientKey, enc: enc.slice().buffer, info: bound }, ciphertext.slice().buffer, bound);
  } catch {
    throw new Error(
      'it was sealed to another key, or for another node, service or variable: set it anew with "hearth secret set"',
    );
  }
  // Whoever seals decides what is inside, so it is checked again here.
  const text = decodeText(plain);
  if (text === undefined)
    throw new Error('it holds what no environment can carry: set it anew with "hearth secret set"');
  return text;
}

function decodeText(plain: ArrayBuffer): string | undefined {
  try {
    const text = decoder.decode(plain);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}
