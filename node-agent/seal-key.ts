/**
 * The node's key for sealed secrets: `seal-key.pem` in the agent's folder, PKCS#8, ECDSA's curve P-256, 0600. Made by
 * whoever needs it first; it never leaves the node.
 */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../shared/user-error.ts';

export interface SealKey {
  /** The public key as others see it: an uncompressed point (65 bytes), base64url without padding. */
  readonly publicKey: string;
  /** The pair as JWK members, for opening. */
  readonly pair: { readonly x: string; readonly y: string; readonly d: string };
}

const sealKeyFile = (folder: string): string => join(folder, 'seal-key.pem');
/** A P-256 key has 241 bytes in PEM. */
const mostBytes = 4096;

/**
 * Reads the key, or makes it where there is none.
 * @throws UserError where it cannot be read or written: another key in its place would make every secret unreadable.
 */
export function openSealKey(folder: string): SealKey {
  const file = sealKeyFile(folder);
  try {
    return readKey(file) ?? makeKey(folder, false);
  } catch (error) {
    throw asUserError(file, error);
  }
}

/**
 * A new key in place of the one there, for a folder that was copied: two machines may not share one. What was sealed to
 * the old key cannot be opened any more.
 */
export function replaceSealKey(folder: string): SealKey {
  try {
    return makeKey(folder, true);
  } catch (error) {
    throw asUserError(sealKeyFile(folder), error);
  }
}

function readKey(file: string): SealKey | undefined {
  let pem: string;
  try {
    const { size, mode } = statSync(file);
    if (size > mostBytes) throw damaged(file);
    if ((mode & 0o077) !== 0) chmodSync(file, 0o600);
    pem = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return parse(file, pem);
}

function parse(file: string, pem: string): SealKey {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw damaged(file);
    const { x = '', y = '', d = '' } = key.export({ format: 'jwk' });
    const point = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
    return { publicKey: point.toString('base64url'), pair: { x, y, d } };
  } catch {
    throw damaged(file);
  }
}

const damaged = (file: string): UserError =>
  new UserError(
    `${file} is no private key on P-256 in PKCS#8 PEM: put it back from a copy, or remove it and set this node's secrets anew`,
  );

/** Written beside and synced, then named; without `over`, whoever was first wins, so that one folder never has two keys. */
function makeKey(folder: string, over: boolean): SealKey {
  const file = sealKeyFile(folder);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const beside = `${file}.${process.pid}.new`;
  rmSync(beside, { force: true });
  try {
    const handle = openSync(beside, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      writeSync(handle, pem);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    if (over) renameSync(beside, file);
    else linkUnlessThere(beside, file);
  } finally {
    rmSync(beside, { force: true });
  }
  syncFolder(folder);
  const kept = readKey(file);
  if (!kept) throw new Error('it was removed meanwhile');
  return kept;
}

function linkUnlessThere(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    // File systems without hard links (FAT on a phone's card): the folder's lock keeps others out.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EACCES') throw error;
    renameSync(from, to);
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function asUserError(file: string, error: unknown): UserError {
  if (error instanceof UserError) return error;
  const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  return new UserError(`cannot use this node's key for secrets in ${file} (${why}): is the disk full or read-only?`);
}
