import { z } from 'zod';

/** Bytes of inline content. */
export const inlineBytes = 16 * 1024;

const path = z
  .string()
  .max(4096)
  .startsWith('/', 'must be an absolute path')
  .refine(text => !text.includes('\0'), 'may not contain a NUL character')
  .refine(
    text => text !== '/' && !text.split('/').some(level => level === '.' || level === '..'),
    'must be a plain path, without "." and ".."',
  );

const source = z
  .string()
  .max(2048)
  .regex(
    /^(https?:\/\/[^\s]+|file:\/\/\/[^\s]+|artifact:[0-9a-f]{64})$/,
    'not a source: use http://…, https://…, file:///… or artifact:SHA256',
  );

export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256: use 64 of 0-9 and a-f');

const account = /^[A-Za-z_0-9][A-Za-z0-9_.-]{0,31}(:[A-Za-z_0-9][A-Za-z0-9_.-]{0,31})?$/;

const fields = z.strictObject({
  /** Where it goes: a file, or with `unpack` the folder that the archive becomes. */
  path,
  /** The text itself, at most 16 kB. */
  content: z
    .string()
    .refine(text => Buffer.byteLength(text) <= inlineBytes, 'inline content is at most 16 kB: use a source')
    .optional(),
  /** Where the bytes come from. */
  source: source.optional(),
  /** Of the source's bytes. Needed for http and https. */
  sha256: sha256Schema.optional(),
  /**
   * The source is an archive (tar, tar.gz, zip, told by its bytes; tar.xz, tar.zst and tar.bz2 where the node has the
   * program), and `path` becomes the folder with what is in it.
   */
  unpack: z.boolean().optional(),
  /** Leading folders taken off the names in the archive. */
  strip: z.number().int().min(0).max(8).optional(),
  /** `{{ node.id }}` and other facts are filled in; `{{{{` stands for two braces. Inline content only. */
  template: z.boolean().optional(),
  /** Permissions, octal. Default 0644; a folder that is unpacked keeps the archive's. */
  mode: z
    .string()
    .regex(/^[0-7]{3,4}$/, 'not permissions: use an octal number such as "0644"')
    .optional(),
  /** `user` or `user:group`, names or numbers. Default: the agent's own. */
  owner: z.string().regex(account, 'not an owner: use "user" or "user:group"').optional(),
  /** `absent`: there is no such file. Default `present`. */
  state: z.enum(['present', 'absent']).optional(),
  /** What to do where somebody else changed it: put it right (default), or only say so. */
  drift: z.enum(['repair', 'report']).optional(),
});

/** What goes with what. */
export const fileSchema = fields.superRefine((file, context) => {
  const wrong = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
  if (file.state === 'absent') {
    for (const key of ['content', 'source', 'unpack', 'template', 'mode', 'owner'] as const)
      if (file[key] !== undefined) wrong(key, 'says nothing of a file that is to be absent');
    return;
  }
  if ((file.content === undefined) === (file.source === undefined)) {
    wrong('content', 'a file needs its content or a source, one of the two');
  }
  if (/^https?:/.test(file.source ?? '') && file.sha256 === undefined)
    wrong('sha256', 'what comes over the network needs its SHA-256');
  if (file.source?.startsWith('artifact:') && file.sha256 !== undefined && !file.source.endsWith(file.sha256))
    wrong('sha256', 'is not the one of the artifact');
  if (file.source === undefined && file.sha256 !== undefined) wrong('sha256', 'is of a source');
  if (file.unpack === true && file.source === undefined) wrong('unpack', 'needs a source');
  if (file.unpack === true && file.mode !== undefined) wrong('mode', 'an archive has permissions of its own');
  if (file.unpack !== true && file.strip !== undefined) wrong('strip', 'is of an archive: add "unpack"');
  if (file.template === true && file.content === undefined) wrong('template', 'needs inline content');
});
export type FileItem = z.output<typeof fileSchema>;
/** The keys alone, for a `want`, whose reader judges nothing anew. */
export const fileFields = fields;
