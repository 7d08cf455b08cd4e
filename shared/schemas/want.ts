/** What the supervisor tells a node, signed, and what the node answers. Apart from what people write, which agents never read. */
import { z } from 'zod';
import type { Check } from './check.ts';
import { fileFields, sha256Schema } from './file.ts';
import { itemNameSchema } from './item.ts';
import { packageSchema } from './package.ts';
import { serviceNameSchema, serviceSchema } from './service.ts';

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

/** Whose word an item of a `want` is: `node/<id>` or `role/<role>`. */
const from = { from: z.string().max(40) };
/** One item in a `want`: as accepted, and whose word it is. */
export const wantedService = z.object({ ...serviceSchema.shape, ...from });
export type WantedService = z.output<typeof wantedService>;
export const wantedPackage = z.object({ ...packageSchema.shape, ...from });
export type WantedPackage = z.output<typeof wantedPackage>;
export const wantedFile = z.object({ ...fileFields.shape, ...from });
export type WantedFile = z.output<typeof wantedFile>;
/** Read no closer here: an agent loads what knows checks with the first one, and says of one that it does not know that it does not. */
export const wantedCheck = z.looseObject(from) as unknown as z.ZodType<Check & { readonly from: string }>;

/** What of a node's part in jobs is the node's own to know. */
const wantedJobs = z.object({
  slots: z.number().int().nonnegative().optional(),
  inline: z.boolean().optional(),
  scripts: z.boolean().optional(),
  /** `artifact:SHA256` by the plugin's name. */
  plugins: z.record(z.string(), z.string()).optional(),
});

/** The compiled document a node obeys; read by agents, which ignore unknown keys. The signature follows as `sig`. */
export const wantPayload = z.object({
  ...authorityKeys,
  /** Sorted; `all`, which every node has, is not among them. */
  roles: z.array(z.string().max(20)).default([]),
  /** What the cluster says about this machine, for its `info` and for templates. */
  labels: z.record(z.string(), z.string().max(64)).default({}),
  /** Takes no new work. */
  drain: z.boolean().default(false),
  /** The agent that the node is to be; absent: it stays what it is. */
  agent: z.object({ ver: z.string().max(32), sha256: sha256Schema }).optional(),
  /** Its part in jobs, as `jobs` of its document and its roles' say; what nobody said is absent. */
  jobs: wantedJobs.optional(),
  packages: z.record(itemNameSchema, wantedPackage).default({}),
  files: z.record(itemNameSchema, wantedFile).default({}),
  services: z.record(serviceNameSchema, wantedService),
  checks: z.record(itemNameSchema, wantedCheck).default({}),
  /** Items about which two roles differ, a sentence each: the node says so on `is`. */
  conflicts: z.array(z.string().max(300)).max(20).default([]),
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
  verb: z.enum([
    'restart',
    'rebirth',
    'follow',
    'forget',
    'backoff',
    'resume',
    'reboot',
    'shutdown',
    'identify',
    'upgrade',
    'heat',
    'wake',
  ]),
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
