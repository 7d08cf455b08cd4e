/** What a machine proves with the key of a certificate that it has. Pure: certificate and text in, verdict out. */
import { createHash, verify, X509Certificate } from 'node:crypto';

/** How keys are told apart: SHA-256 of the DER SubjectPublicKeyInfo, hex. */
export const keyHash = (spki: Uint8Array): string => createHash('sha256').update(spki).digest('hex');

export interface Held {
  readonly certificate: X509Certificate;
  readonly key: string;
}

/**
 * @param proof ECDSA with SHA-256 (IEEE P1363, base64url) over `hearth/<purpose>\n` and the new CSR.
 * @returns undefined where the certificate is none, or the proof is not by its key. Who issued it is asked elsewhere.
 */
export function heldCertificate(purpose: 'renew' | 'clone', pem: string, csr: string, proof: string): Held | undefined {
  try {
    const certificate = new X509Certificate(pem);
    const { publicKey } = certificate;
    if (publicKey.asymmetricKeyType !== 'ec') return undefined;
    const signed = Buffer.from(`hearth/${purpose}\n${csr}`);
    const signature = Buffer.from(proof, 'base64url');
    if (!verify('sha256', signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)) return undefined;
    return { certificate, key: keyHash(publicKey.export({ type: 'spki', format: 'der' })) };
  } catch {
    return undefined;
  }
}
