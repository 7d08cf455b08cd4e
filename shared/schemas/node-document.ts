import { z } from 'zod';
import { limits } from '../limits.ts';
import { serviceInput, serviceNameSchema, serviceSchema } from './service.ts';

const notTooMany = (all: object) => Object.keys(all).length <= limits.services;
const tooMany = `at most ${limits.services} services on one node`;

/** What people said about one node: the accepted document, published retained on `own`. */
export const nodeDocument = z.strictObject({
  services: z.record(serviceNameSchema, serviceSchema).refine(notTooMany, tooMany).optional(),
});

/** The same as people may write it, with its short forms; reading it gives a {@link nodeDocument}. */
export const nodeInput = z.strictObject({
  services: z.record(serviceNameSchema, serviceInput).refine(notTooMany, tooMany).optional(),
});

/** `own` as published: the document with the revision that last changed it. */
export const ownPayload = nodeDocument.extend({ rev: z.number().int().nonnegative() });

const authorityKeys = {
  /** Fingerprint of the cluster's key. */
  cluster: z.string().regex(/^[0-9a-f]{32}$/),
  /** The public key itself, base64url, so that a node can check it against the fingerprint it knows. */
  key: z.string().max(64),
  /** Raised by a restore. */
  gen: z.number().int().nonnegative(),
  /** The cluster's journal sequence. */
  rev: z.number().int().nonnegative(),
  node: z.string().max(20),
};

/** One service in a `want`: as accepted, and whose word it is. */
export const wantedService = z.object({ ...serviceSchema.shape, from: z.string().max(40) });
export type WantedService = z.output<typeof wantedService>;

/** The compiled document a node obeys; read by agents, which ignore unknown keys. The signature follows as `sig`. */
export const wantPayload = z.object({
  ...authorityKeys,
  services: z.record(serviceNameSchema, wantedService),
});
export type Want = z.output<typeof wantPayload>;

/** One order to a node. Bound to one session: another epoch ignores it, and so is a copy replayed later. */
export const cmdPayload = z.object({
  ...authorityKeys,
  /** Names the order in `done`. */
  id: z.string().max(64),
  /** Rises with every order of one supervisor; a node obeys none that is not above the last of its session. */
  seq: z.number().int().nonnegative(),
  inst: z.string().max(32),
  epoch: z.number().int().nonnegative(),
  verb: z.enum(['restart', 'rebirth', 'follow', 'forget', 'backoff']),
  args: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});
export type Cmd = z.output<typeof cmdPayload>;

/** A node's answer to a `cmd`. */
export const donePayload = z.object({
  id: z.string().max(64),
  ok: z.boolean(),
  error: z.string().max(500).optional(),
});
export type Done = z.output<typeof donePayload>;
