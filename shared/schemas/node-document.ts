import { z } from 'zod';
import { limits } from '../limits.ts';
import { isId } from '../names.ts';
import { checkInput, checkSchema } from './check.ts';
import { fileSchema, sha256Schema } from './file.ts';
import { nodeHeatInput, nodeHeatSchema } from './heat.ts';
import { type ItemKindName, itemNameSchema } from './item.ts';
import { nodeJobsSchema } from './job.ts';
import { packageInput, packageSchema } from './package.ts';
import { rolloutInput, rolloutSchema } from './rollout.ts';
import { serviceInput, serviceNameSchema, serviceSchema } from './service.ts';

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
export const applied = z
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
  heat: nodeHeatSchema.optional(),
  jobs: nodeJobsSchema.optional(),
  packages: items('packages', itemNameSchema, packageSchema).optional(),
  files: items('files', itemNameSchema, fileSchema).optional(),
  services: items('services', serviceNameSchema, serviceSchema).optional(),
  checks: items('checks', itemNameSchema, checkSchema).optional(),
};
const inputsOf = {
  agent: releaseInput.optional(),
  heat: nodeHeatInput.optional(),
  jobs: nodeJobsSchema.optional(),
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
