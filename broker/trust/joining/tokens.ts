/** Join tokens: what one is worth when it is shown. Pure. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { TokenRecord } from './records.ts';

export const tokenHash = (secret: string): string =>
  createHash('sha256').update(`hearth/join\n${secret}`).digest('hex');

/** RFC 4648 base32, lower case: no letter of it needs care on paper or in a shell. */
export function base32(bytes: Uint8Array): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  let out = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    for (; bits >= 5; bits -= 5) out += alphabet[(value >> (bits - 5)) & 31];
  }
  return bits > 0 ? out + alphabet[(value << (5 - bits)) & 31] : out;
}

export type TokenVerdict = { readonly token: TokenRecord } | { readonly sentence: string };

const renew = 'make a new one on the supervisor with "hearth token"';

/** @param text `ID.SECRET` as a machine shows it. Who does not know the secret is not told whether there is such a token. */
export function readToken(tokens: ReadonlyMap<string, TokenRecord>, text: string, now: number): TokenVerdict {
  const [id = '', secret = '', ...more] = text.split('.');
  const token = tokens.get(id);
  const hash = Buffer.from(tokenHash(secret));
  if (!token || more.length > 0 || !timingSafeEqual(hash, Buffer.from(token.hash))) {
    return { sentence: `This join token is not known here, or was revoked: ${renew}.` };
  }
  const problem = exhausted(token, now);
  return problem === undefined ? { token } : { sentence: `This join token ${problem}: ${renew}.` };
}

/** Why a token lets nobody in any more. */
export function exhausted(token: TokenRecord, now: number): 'has expired' | 'is used up' | undefined {
  if (now >= token.expires_ms) return 'has expired';
  return token.used >= token.uses ? 'is used up' : undefined;
}
