/** A certification request (PKCS#10, RFC 2986) for a P-256 key. Its subject is empty: the supervisor says who the node is. */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';

const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  const { length } = body;
  // X.690, 8.1.3: short form below 128, else as many bytes as the length needs. Nothing here comes near 64 kB.
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), body]);
};

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const version0 = Buffer.of(0x02, 0x01, 0x00);
const noAttributes = Buffer.of(0xa0, 0x00);
/** ecdsa-with-SHA256, 1.2.840.10045.4.3.2 (RFC 5758). */
const ecdsaWithSha256 = sequence(Buffer.from('06082a8648ce3d040302', 'hex'));

/** The public half as DER SubjectPublicKeyInfo, its point uncompressed. */
export const publicKeyOf = (key: KeyObject): Buffer => createPublicKey(key).export({ type: 'spki', format: 'der' });

export function makeCsr(key: KeyObject): string {
  const info = sequence(version0, sequence(), publicKeyOf(key), noAttributes);
  const signature = sign('sha256', info, { key, dsaEncoding: 'der' });
  const request = sequence(info, ecdsaWithSha256, der(0x03, Buffer.of(0), signature));
  const lines = request.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
}

/** Signs what shows that its sender has the key of a certificate: ECDSA with SHA-256, IEEE P1363, base64url. */
export const proofBy = (key: KeyObject, kind: 'renew' | 'clone', csr: string): string =>
  sign('sha256', Buffer.from(`hearth/${kind}\n${csr}`), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
