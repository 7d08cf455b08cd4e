/** Names of users and API tokens. They share one name space, so that a name in the audit and on a connection is one. */
import { z } from 'zod';

/** What the audit calls those who are no user. */
const taken = new Set(['owner', 'supervisor', 'unknown', 'none', 'rule', 'all', 'local']);

export const accountName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,31}$/,
    'a name is 1 to 32 of a-z, 0-9, ".", "_" and "-", and begins with a letter or digit',
  )
  .refine(name => !taken.has(name), 'this name has a meaning of its own; choose another');

export const newPassword = z
  .string()
  .min(8, 'a password has at least 8 characters')
  .max(256, 'a password has at most 256 characters');
