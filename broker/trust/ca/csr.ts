/** Certificate signing requests (PKCS#10): only the key is taken from one, and only with proof that the sender has it. */
import 'reflect-metadata';
import { createPublicKey } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { UserError } from '../../../shared/user-error.ts';

const longest = 8192;

/**
 * @returns SubjectPublicKeyInfo, DER.
 * @throws UserError where it is no CSR, its key is not ECDSA on P-256, or it is not signed by that key.
 */
export async function keyOfCsr(pem: string): Promise<Uint8Array> {
  const refuse = (why: string): never => {
    throw new UserError(`The certificate request ${why}: make it anew with an ECDSA key on P-256.`);
  };
  if (pem.length > longest) refuse(`is longer than ${longest} characters`);
  let verified: boolean;
  let spki: Uint8Array;
  try {
    const [block, ...more] = x509.PemConverter.decode(pem);
    if (!block || more.length > 0) throw new Error('not one block');
    const csr = new x509.Pkcs10CertificateRequest(block);
    // Through OpenSSL, which refuses a point that is not on the curve, and writes the key in its one canonical form.
    const key = createPublicKey({ key: Buffer.from(csr.publicKey.rawData), format: 'der', type: 'spki' });
    if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
      return refuse(otherKey);
    spki = key.export({ type: 'spki', format: 'der' });
    verified = await csr.verify();
  } catch (error) {
    if (error instanceof UserError) throw error;
    return refuse('cannot be read');
  }
  if (!verified) refuse('is not signed by its own key');
  return spki;
}

const otherKey = 'has a key of another kind';
