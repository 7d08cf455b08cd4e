import { z } from 'zod';
import { limits } from '../limits.ts';
import { isId, isItemName } from '../names.ts';
import { checkFields, checkInput, checkSchema } from './check.ts';
import { fileFields, fileSchema, sha256Schema } from './file.ts';
import { packageInput, packageSchema } from './package.ts';
import { rolloutInput, rolloutSchema } from './rollout.ts';
import { serviceInput, serviceNameSchema, serviceSchema } from './service.ts';

/** The kinds of items a document has, in the order in which a node comes to them. */
export const itemKinds = ['packages', 'files', 'services', 'checks'] as const;
export type ItemKindName = (typeof itemKinds)[number];

export const itemNameSchema = z
  .string()
  .refine(isItemName, 'not a name: use 1 to 64 of A-Z a-z 0-9 . _ @ : ~ -, and say others with "name" or "path"');

function items<Item extends z.ZodType>(kind: ItemKindName, name: z.ZodType<string, string>, item: Item) {
  const most = limits[kind];
  return z.record(name, item).refine(all => Object.keys(all).length <= most, `at most ${most} ${kind} on one node`);
}

const idSchema = z.string().refine(isId, 'not an id: use 1 to 20 of a-z, 0-9 and "-"');
/** Roles one node may have beside `all`, which every node has. */
const roleList = z
  .array(idSchema)
  .max(12, 'at most 12 roles')
  .refine(all => new Set(all).size === all.length, 'a role is named twice');
const labels = z
  .record(idSchema, z.string().min(1).max(64))
  .refine(all => Object.keys(all).length <= 32, 'at most 32 labels');

/** Which items a file given to `hearth apply` put there, by that file's name: what `--prune` may take away. */
const applied = z
  .record(itemNameSchema, z.array(z.string().max(80)).max(1000))
  .refine(all => Object.keys(all).length <= 16, 'at most 16 files applied to one document');

/**
 * Which agent the node is to be: `follow` is whichever its supervisor has, filled in by it as `ver` and `sha256`. Absent:
 * it stays what it is.
 */
const release = z.strictObject({
  follow: z.literal(true).optional(),
  ver: z
    .string()
    .regex(/^[0-9A-Za-z.+-]{1,32}$/, 'not a version')
    .optional(),
  /** Of an agent's archive in the supervisor's artifact store. */
  sha256: sha256Schema.optional(),
});
const releaseInput = z.union(
  [z.literal('follow').transform((): z.output<typeof release> => ({ follow: true })), release],
  '"follow", or an object with "ver" and "sha256"',
);

const itemsOf = {
  agent: release.optional(),
  packages: items('packages', itemNameSchema, packageSchema).optional(),
  files: items('files', itemNameSchema, fileSchema).optional(),
  services: items('services', serviceNameSchema, serviceSchema).optional(),
  checks: items('checks', itemNameSchema, checkSchema).optional(),
};
const inputsOf = {
  agent: releaseInput.optional(),
  packages: items('packages', itemNameSchema, packageInput).optional(),
  files: items('files', itemNameSchema, fileSchema).optional(),
  services: items('services', serviceNameSchema, serviceInput).optional(),
  checks: items('checks', itemNameSchema, checkInput).optional(),
};
/** Takes no new work, for as long as it says so: what `do/drain` sets and `do/resume` clears. */
const drain = z.boolean();
const ofNode = { labels: labels.optional(), drain: drain.optional(), applied: applied.optional() };

/** What people said about one node: the accepted document, published retained on `own`. */
export const nodeDocument = z.strictObject({ ...itemsOf, ...ofNode, roles: roleList.optional() });
export type NodeDocument = z.output<typeof nodeDocument>;

/** What people said about a role: all of its nodes get it. */
export const roleDocument = z.strictObject({
  ...itemsOf,
  applied: applied.optional(),
  rollout: rolloutSchema.optional(),
});
export type RoleDocument = z.output<typeof roleDocument>;

/** The same as people may write it, with its short forms; reading it gives a {@link nodeDocument}. */
export const nodeInput = z.strictObject({
  ...inputsOf,
  ...ofNode,
  roles: z
    .union(
      [
        z
          .string()
          .transform(text => text.split(',').flatMap(role => role.trim() || []))
          .pipe(roleList),
        roleList,
      ],
      'a list of roles, comma-separated',
    )
    .optional(),
});
export const roleInput = z.strictObject({
  ...inputsOf,
  applied: applied.optional(),
  rollout: rolloutInput.optional(),
});

/** `own` as published: the document with the revision that last changed it. */
export const ownPayload = nodeDocument.extend({ rev: z.number().int().nonnegative() });
export const roleOwnPayload = roleDocument.extend({ rev: z.number().int().nonnegative() });

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
export const wantedCheck = z.object({ ...checkFields.shape, ...from });

/** The compiled document a node obeys; read by agents, which ignore unknown keys. The signature follows as `sig`. */
export const wantPayload = z.object({
  ...authorityKeys,
  /** Sorted; `all`, which every node has, is not among them. */
  roles: z.array(z.string().max(20)).default([]),
  /** What the cluster says about this machine, for its `info` and for templates. */
  labels: z.record(z.string(), z.string().max(64)).default({}),
  drain: drain.default(false),
  /** The agent that the node is to be; absent: it stays what it is. */
  agent: z.object({ ver: z.string().max(32), sha256: sha256Schema }).optional(),
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
