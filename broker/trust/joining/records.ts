/** What joining keeps below `trust/` in the store, and for how long and how much of it. */
import { z } from 'zod';
import { limits } from '../../../shared/limits.ts';
import { isId } from '../../../shared/names.ts';
import { joinFacts } from '../../../shared/schemas/trust.ts';

export const joiningLimits = {
  tokens: 1000,
  rules: 100,
  nodes: limits.nodes,
  /** Certificates of one node that are still valid; the oldest goes first. */
  certificates: 8,
  /** Machines that wait for a person, in all and from one address. */
  pending: 1000,
  pendingPerAddress: 16,
  /** A machine that has not asked again for so long is no longer waiting. */
  pendingIdleMs: 3 * 60_000,
  /** How long a ticket's answer can be fetched. */
  answeredMs: 10 * 60_000,
  /** How long a denied machine is turned away. */
  deniedMs: 60 * 60_000,
  /** Copies of one node's folder that join by its key in a day; more of them wait for a person. */
  copiesPerDay: 8,
} as const;

const time = z.number().int().nonnegative();
const count = z.number().int().nonnegative();
const id = z.string().refine(isId, 'is no id');
const name = z.string().max(64);
const place = { room: id.optional(), zone: id.optional(), roles: z.array(id).max(12).optional() };

/** Where rules or the approver put a node. */
export interface Place {
  readonly room?: string | undefined;
  readonly zone?: string | undefined;
  readonly roles?: readonly string[] | undefined;
}

export const tokenRecord = z.object({
  id: z.string().regex(/^[a-z2-7]{8}$/),
  /** SHA-256 of the secret, hex: 160 random bits need no slow hash. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  created_ms: time,
  expires_ms: time,
  uses: count,
  used: count,
  by: name,
  /** Only for this id, which it may take over from the machine that had it. */
  node: id.optional(),
});
export type TokenRecord = z.output<typeof tokenRecord>;

export const nodeRecord = z.object({
  node: id,
  state: z.enum(['active', 'revoked']),
  joined_ms: time,
  by: z.string().max(100),
  /** The newest first: serial in hex without leading zeros, the key's hash, and when it expires. */
  certs: z
    .array(z.object({ serial: z.string().max(64), key: z.string().max(64), expires_ms: time }))
    .min(1)
    .max(joiningLimits.certificates),
  seal_key: z.string().max(128),
  inst: z.string().max(64),
  facts: joinFacts,
  address: name,
  clone_of: id.optional(),
  ...place,
});
export type NodeRecord = z.output<typeof nodeRecord>;

export const ruleRecord = z.object({
  rule: z.number().int().positive(),
  /** What a machine must have for it, all of it. */
  mac: z.string().max(17).optional(),
  arch: name.optional(),
  subnet: name.optional(),
  hostname: name.optional(),
  /** Such a machine is let in without a token. */
  approve: z.boolean(),
  /** Template of the id. */
  node: name.optional(),
  ...place,
  by: name,
  created_ms: time,
});
export type RuleRecord = z.output<typeof ruleRecord>;

export interface Kinds {
  readonly token: TokenRecord;
  readonly node: NodeRecord;
  readonly rule: RuleRecord;
}
export const recordSchemas = { token: tokenRecord, node: nodeRecord, rule: ruleRecord } as const;

/** As certificates and principals are compared: hex without leading zeros. */
export const plainSerial = (serial: string): string => serial.toLowerCase().replace(/^0+(?=.)/, '');
