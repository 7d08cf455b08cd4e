/** Passwords at rest: scrypt (RFC 7914) with its parameters beside the hash, so that they can rise later. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

export interface Cost {
  /** log2 of N. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/**
 * 32 MB and three passes: one of the settings that OWASP's cheat sheet on password storage holds for equally strong, and
 * the one with the least memory that an old machine with 1 GB can spare.
 */
export const presentCost: Cost = { ln: 15, r: 8, p: 3 };
const bytes = 32;
const shape = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{16,88})\$([A-Za-z0-9+/]{43})$/;

const base64 = (data: Buffer): string => data.toString('base64').replace(/=+$/, '');

/** The same characters typed on another system may come in another normal form (RFC 8265, section 4.2.2). */
function derive(password: string, salt: Buffer, { ln, r, p }: Cost): Promise<Buffer> {
  const options = { N: 2 ** ln, r, p, maxmem: 128 * r * (2 ** ln + p + 2) + 1024 * 1024 };
  return new Promise((resolve, reject) =>
    scrypt(password.normalize('NFC'), salt, bytes, options, (error, key) => (error ? reject(error) : resolve(key))),
  );
}

export async function hashPassword(password: string, cost: Cost = presentCost): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, salt, cost);
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${base64(salt)}$${base64(key)}`;
}

interface Parsed extends Cost {
  readonly salt: Buffer;
  readonly key: Buffer;
}

function parse(hash: string): Parsed | undefined {
  const [, ln, r, p, salt = '', key = ''] = shape.exec(hash) ?? [];
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  // Nothing that a restored folder says may take the machine's memory: 1 GB at most.
  if (!(cost.ln >= 1 && cost.r >= 1 && cost.p >= 1) || 128 * cost.r * 2 ** cost.ln > 2 ** 30) return undefined;
  return { ...cost, salt: Buffer.from(salt, 'base64'), key: Buffer.from(key, 'base64') };
}

export const isHash = (hash: string): boolean => parse(hash) !== undefined;

export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const parsed = parse(hash);
  return parsed !== undefined && timingSafeEqual(await derive(password, parsed.salt, parsed), parsed.key);
}

/** Whether the hash was made with other parameters than are used now. */
export function isOutdated(hash: string, cost: Cost = presentCost): boolean {
  const parsed = parse(hash);
  return parsed === undefined || parsed.ln !== cost.ln || parsed.r !== cost.r || parsed.p !== cost.p;
}
