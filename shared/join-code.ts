/** What a person compares on both screens before a machine is let in. */
import { createHash } from 'node:crypto';

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/**
 * Sixty bits of the key's hash, as `abcd-efgh-jklm`: too many for somebody to search a key that shows the same code.
 * @param spki the public key as DER SubjectPublicKeyInfo, its point uncompressed.
 */
export function joinCode(spki: Uint8Array): string {
  const hash = createHash('sha256').update('hearth/code\n').update(spki).digest();
  const letters = [...hash.subarray(0, 12)].map(byte => alphabet[byte & 31]).join('');
  return `${letters.slice(0, 4)}-${letters.slice(4, 8)}-${letters.slice(8)}`;
}
