/** SSH public keys as people paste them: one line, of a kind that is worth a certificate. */
import { printable } from '../../../shared/names.ts';
import { UserError } from '../../../shared/user-error.ts';

const kinds = new Set([
  'ssh-ed25519',
  'sk-ssh-ed25519@openssh.com',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ecdsa-sha2-nistp256@openssh.com',
  'ssh-rsa',
]);
const longest = 8192;
const leastRsaBits = 2048;

/**
 * @returns kind and key without the comment, which is no part of the key.
 * @throws UserError what is wrong with it; a private key is never repeated.
 */
export function readSshKey(text: string): string {
  const line = text.trim();
  if (/PRIVATE KEY/.test(line)) {
    throw new UserError(
      'This is a private key, which nobody but its machine should see: give the file that ends in .pub.',
    );
  }
  if (line.length > longest || /[\r\n]/.test(line)) {
    throw new UserError('An SSH public key is one line, as in a file that ends in .pub: give that line alone.');
  }
  const [kind = '', encoded = ''] = line.split(/ +/);
  if (/-cert-v\d+@/.test(kind))
    throw new UserError('This is a certificate already: give the public key it was made from.');
  const bytes = Buffer.from(encoded, 'base64');
  const fields = /^[A-Za-z0-9+/]+={0,2}$/.test(encoded) ? fieldsOf(bytes) : undefined;
  if (!kinds.has(kind) || !fields || fields[0]?.toString() !== kind) {
    throw new UserError(
      `"${printable(line, 32)}" is no SSH public key of a kind that is signed (ed25519, ecdsa, rsa): give the line of a file such as ~/.ssh/id_ed25519.pub.`,
    );
  }
  if (kind === 'ssh-rsa' && bitsOf(fields[2]) < leastRsaBits) {
    throw new UserError(`The RSA key is shorter than ${leastRsaBits} bits: make a new one with ssh-keygen -t ed25519.`);
  }
  return `${kind} ${encoded}`;
}

/** The strings of RFC 4251 that a key consists of; undefined where the lengths do not add up. */
function fieldsOf(bytes: Buffer): Buffer[] | undefined {
  const fields: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 4 > bytes.length || fields.length >= 8) return undefined;
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) return undefined;
    fields.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return fields.length >= 2 ? fields : undefined;
}

function bitsOf(integer: Buffer | undefined): number {
  const hex = integer?.toString('hex').replace(/^0+/, '') ?? '';
  return hex === '' ? 0 : BigInt(`0x${hex}`).toString(2).length;
}
