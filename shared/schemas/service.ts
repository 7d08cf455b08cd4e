import { z } from 'zod';
import { isItemName } from '../names.ts';

const envName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'not a variable name: use letters, digits and _');
/** No NUL: neither argv nor the environment can carry it. */
const argument = z.string().refine(text => !text.includes('\0'), 'may not contain a NUL character');

/** One `/bin/sh -c` script as a string, or argv without a shell as an array. */
export const runSchema = z.union(
  [
    argument.refine(text => text.trim() !== '', 'an empty command').max(16 * 1024, 'a command is at most 16 kB long'),
    z
      .array(argument.max(4096))
      .min(1, 'an empty command')
      .max(256)
      .refine(argv => argv[0] !== '', 'an empty command'),
  ],
  'a command line, or a list of arguments',
);

/** What a person may say about a service. Unknown keys are errors. */
export const serviceSchema = z.strictObject({
  run: runSchema,
  cwd: argument.max(4096).startsWith('/', 'must be an absolute path').optional(),
  env: z.record(envName, argument.max(16 * 1024)).optional(),
  /** `always` (default): started again whatever its exit code; `on-failure`: not after exit 0; `never`: once. */
  restart: z.enum(['always', 'on-failure', 'never']).optional(),
  stop: z
    .strictObject({
      /** Sent first to every process of the service. Default TERM. */
      signal: z.enum(['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2']).optional(),
      /** Seconds between that signal and KILL. Default 10. */
      grace_s: z.number().min(0).max(3600).optional(),
    })
    .optional(),
});
export type Service = z.output<typeof serviceSchema>;

/** A service as set: a bare command line is short for `{"run": …}`. */
export const serviceInput = z.union(
  [runSchema.transform(run => ({ run })), serviceSchema],
  'a command line, a list of arguments, or an object with "run"',
);

export const serviceNameSchema = z
  .string()
  .refine(isItemName, 'not a service name: use 1 to 64 of A-Z a-z 0-9 . _ @ : ~ -');
