/** What people do to API tokens, `api.*`, and the look at the audit. */
import { z } from 'zod';
import { userRole } from '../../../shared/schemas/trust.ts';
import { UserError } from '../../../shared/user-error.ts';
import { type AdminVerb, type AuditEntry, adminVerb } from '../types.ts';
import type { ApiTokens } from './api-tokens.ts';
import { accountName } from './names.ts';
import type { Users } from './users.ts';

export interface ApiVerbParts {
  readonly users: Users;
  readonly tokens: ApiTokens;
  readonly now: () => number;
  /** Connections of this name end. */
  readonly ends: (name: string) => Promise<void>;
}

const dayMs = 86_400_000;
/** A token that nobody thinks of any more ends by itself. */
const usualDays = 365;

export function apiVerbs({ users, tokens, now, ends }: ApiVerbParts): readonly AdminVerb[] {
  return [
    adminVerb({
      name: 'api.create',
      role: 'admin',
      args: z.strictObject({
        name: accountName,
        role: userRole,
        /** 0: never ends. */
        days: z.number().min(0, '0 (no end) to 3650 days').max(3650, '0 (no end) to 3650 days').default(usualDays),
      }),
      audit: args => `${args.name} (${args.role})`,
      async run(args, by) {
        if (users.get(args.name)) {
          throw new UserError(`${args.name} is the name of a user: one name is one thing, so choose another.`);
        }
        const expires = args.days === 0 ? undefined : now() + args.days * dayMs;
        const token = await tokens.create(args.name, args.role, expires, by.name);
        const made = { name: args.name, role: args.role, token };
        return expires === undefined ? made : { ...made, expires_ms: expires };
      },
    }),
    adminVerb({
      name: 'api.list',
      role: 'admin',
      args: z.strictObject({}),
      run: () => ({ tokens: tokens.list().map(({ hash: _, ...shown }) => shown) }),
    }),
    adminVerb({
      name: 'api.revoke',
      role: 'admin',
      args: z.strictObject({ name: z.string().max(64) }),
      audit: args => args.name,
      async run(args) {
        const { name, written } = tokens.revoke(args.name);
        // At once, whatever the disk does.
        await Promise.all([ends(name), written]);
        return { name };
      },
    }),
  ];
}

export const auditVerb = (audit: { tail(n: number): readonly AuditEntry[] }): AdminVerb =>
  adminVerb({
    name: 'audit.tail',
    role: 'admin',
    args: z.strictObject({ n: z.number().int().min(1).max(1000).default(50) }),
    run: ({ n }) => ({ entries: audit.tail(n) }),
  });
