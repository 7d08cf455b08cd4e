/**
 * The file that `hearth apply` reads: what is said of roles, nodes and rooms, each as in a `set` of it. A file item may take its
 * bytes from a file beside it (`from`), which `apply` replaces before anything is sent.
 */
import { z } from 'zod';
import { isId } from '../names.ts';
import { fileFields } from './file.ts';
import { itemNameSchema } from './item.ts';
import { nodeInput, roleInput } from './node-document.ts';
import { roomIdSchema, roomInput } from './room.ts';

/** The version of the file's layout; a newer one is refused. */
export const clusterFileVersion = 1;
/** Longest such file, bytes. */
export const clusterFileBytes = 1024 * 1024;

const fileOfClusterFile = fileFields
  .extend({
    /** A file of the machine on which `apply` runs, relative to the YAML file. */
    from: z
      .string()
      .min(1, 'an empty path')
      .max(4096)
      .refine(path => !path.includes('\0'), 'may not contain a NUL character')
      .optional()
      .describe('a file on this machine, relative to this one: small text goes inline, all else to the artifact store'),
  })
  .superRefine((file, context) => {
    if (file.from === undefined) return;
    for (const key of ['content', 'source'] as const)
      if (file[key] !== undefined)
        context.addIssue({ code: 'custom', path: [key], message: 'a file has one of "from", "content" and "source"' });
    if (file.state === 'absent')
      context.addIssue({ code: 'custom', path: ['from'], message: 'says nothing of a file that is to be absent' });
  });

const files = z.record(itemNameSchema, fileOfClusterFile).optional();
/** The book of what was applied is kept by `apply` itself. */
const without = <Shape extends { applied: unknown }>({ applied: _, ...shape }: Shape): Omit<Shape, 'applied'> => shape;

const roleName = z
  .string()
  .refine(name => name === 'all' || isId(name), 'not a role: use "all", or 1 to 20 of a-z, 0-9 and "-"');
const nodeName = z.string().refine(isId, 'not a node id: use 1 to 20 of a-z, 0-9 and "-"');

export const clusterFile = z.strictObject({
  version: z
    .literal(clusterFileVersion, `this Hearth reads version ${clusterFileVersion}`)
    .describe('version of this file’s layout'),
  /** Under which the documents remember what this file put there. Default: the file's name without its extension. */
  name: itemNameSchema
    .optional()
    .describe('under which the cluster remembers what this file put there, for --prune; default: the file’s name'),
  roles: z
    .record(roleName, z.strictObject({ ...without(roleInput.shape), files }))
    .optional()
    .describe('what every node of a role is to have; "all" is a role of every node'),
  nodes: z
    .record(nodeName, z.strictObject({ ...without(nodeInput.shape), files }))
    .optional()
    .describe('what one node is to have, before what its roles say'),
  rooms: z
    .record(roomIdSchema, z.strictObject(without(roomInput.shape)))
    .optional()
    .describe('rooms that the cluster heats: how warm they are to be when, by which thermometer, within which bounds'),
});
