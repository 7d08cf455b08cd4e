/**
 * What a node keeps of its membership, in files of its folder (0600): `membership.json` while it belongs to a cluster,
 * `adopted.json` from when another cluster has taken it until it has left the first, `former.json` where the folder was found
 * to be a copy until this machine has joined by itself, and `node-key.pem`, the key that never leaves.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { joinRequest, trustBundle } from '../../shared/schemas/trust.ts';
import { UserError } from '../../shared/user-error.ts';
import { readBounded, removeFiles, replaceFile } from '../replace-file.ts';

const address = z.string().max(300);
const fingerprint = z.string().regex(/^[0-9a-f]{32}$/);

export const membershipSchema = z.object({
  format: z.literal(1),
  node: joinRequest.shape.node.unwrap(),
  cluster: z.object({ fingerprint, key: z.string().max(64) }),
  base: z.string().regex(/^[a-z0-9-]{1,9}$/),
  cert: z.string().max(8192),
  bundle: trustBundle,
  /** Serial of the bundle, and its CA certificates: read from it when it was verified. */
  serial: z.number().int().nonnegative(),
  ca: z.array(z.string().max(8192)).min(1).max(4),
  /** `mqtts://HOST:PORT`, the best first. */
  brokers: z.array(address).min(1).max(16),
  /** `HOST:PORT` where it joined: there the supervisor answers by HTTPS. */
  supervisor: address,
  /** The machine that joined. */
  machine: z.object({ id: z.string().max(64).optional(), macs: z.array(z.string().max(17)).max(14) }),
  /** Join tokens that were used up here: one that still stands in a start script is no wish to move. */
  tokens: z.array(z.string().max(16)).max(16),
  /** The supervisor's time when it was last told: it is later than that. */
  floor_ms: z.number().nonnegative(),
  /** The supervisor said that this node may not be here any more. */
  refused: z.string().max(500).optional(),
  room: z.string().max(64).optional(),
  zone: z.string().max(64).optional(),
  roles: z.string().max(256).optional(),
});
export type Membership = Omit<z.output<typeof membershipSchema>, 'format'>;

/** What is left of the machine that a copied folder came from: with its key a copy shows what it is a copy of. */
const formerSchema = z.object({
  format: z.literal(1),
  membership: membershipSchema.omit({ format: true }),
  key: z.string().max(4096),
});
export type Former = Omit<z.output<typeof formerSchema>, 'format'>;

const files = {
  member: 'membership.json',
  adopted: 'adopted.json',
  former: 'former.json',
  key: 'node-key.pem',
} as const;
const mostBytes = 512 * 1024;
const why = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;

function read<S extends z.ZodType>(folder: string, name: string, schema: S): z.output<S> | undefined {
  const path = join(folder, name);
  let reason = 'it is damaged';
  let text: string | undefined;
  try {
    text = readBounded(path, mostBytes);
    if (text === undefined) return undefined;
    const json: unknown = JSON.parse(text);
    const found = (json as { format?: unknown } | null)?.format;
    if (typeof found === 'number' && found > 1) reason = `it is of format ${found}, written by a newer Hearth`;
    return schema.parse(json);
  } catch (error) {
    if (text === undefined) reason = why(error);
    throw new UserError(
      `cannot read this node's membership in ${path} (${reason}): put the file back from a copy, or remove it and join again with a token`,
    );
  }
}

function write(folder: string, name: string, value: object): void {
  try {
    replaceFile(folder, name, `${JSON.stringify({ format: 1, ...value })}\n`, true);
  } catch (error) {
    throw new UserError(`cannot write ${join(folder, name)} (${why(error)}): is the disk full or read-only?`);
  }
}

export interface MembershipFiles {
  member(): Membership | undefined;
  adopted(): Membership | undefined;
  former(): Former | undefined;
  /** On stable storage on return, as all of these. */
  saveMember(membership: Membership): void;
  saveAdopted(membership: Membership): void;
  saveFormer(former: Former): void;
  forget(...which: readonly (keyof typeof files)[]): void;
  /** The node's key, made where there is none. */
  key(): KeyObject;
  /** `next`: the key for another cluster while this one's is still in use. */
  nextKey(): KeyObject;
  /** From now on `nextKey` is the key. */
  takeNextKey(): void;
}

export function membershipFiles(folder: string): MembershipFiles {
  const without = <T extends { readonly format: 1 }>(value: T | undefined): Omit<T, 'format'> | undefined => {
    if (!value) return undefined;
    const { format: _, ...rest } = value;
    return rest;
  };
  const key = (name: string): KeyObject => readKey(folder, name) ?? makeKey(folder, name);
  return {
    member: () => without(read(folder, files.member, membershipSchema)),
    adopted: () => without(read(folder, files.adopted, membershipSchema)),
    former: () => without(read(folder, files.former, formerSchema)),
    saveMember: membership => write(folder, files.member, membership),
    saveAdopted: membership => write(folder, files.adopted, membership),
    saveFormer: former => write(folder, files.former, former),
    forget: (...which) => removeFiles(folder, ...which.map(one => files[one])),
    key: () => key(files.key),
    nextKey: () => key(nextKeyFile),
    takeNextKey() {
      const next = readKey(folder, nextKeyFile);
      if (!next) return;
      replaceFile(folder, files.key, pemOf(next), true);
      removeFiles(folder, nextKeyFile);
    },
  };
}

const nextKeyFile = 'node-key-next.pem';

export const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

function readKey(folder: string, name: string): KeyObject | undefined {
  const path = join(folder, name);
  try {
    const text = readBounded(path, 4096);
    if (text === undefined) return undefined;
    const key = createPrivateKey(text);
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('it is no key on P-256');
    return key;
  } catch (error) {
    throw new UserError(
      `cannot use this node's key in ${path} (${why(error)}): put the file back from a copy, or remove it and join again with a token`,
    );
  }
}

function makeKey(folder: string, name: string): KeyObject {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  try {
    replaceFile(folder, name, pemOf(privateKey), true);
  } catch (error) {
    throw new UserError(
      `cannot write this node's key in ${join(folder, name)} (${why(error)}): is the disk full or read-only?`,
    );
  }
  return privateKey;
}

/** From when to when a certificate is valid, epoch milliseconds. */
export function lifeOf(pem: string): { readonly from: number; readonly to: number } {
  const certificate = new X509Certificate(pem);
  return { from: Date.parse(certificate.validFrom), to: Date.parse(certificate.validTo) };
}
