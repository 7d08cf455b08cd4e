/** What people do to users: `user.*`. */
import { z } from 'zod';
import type { Clock } from '../../../shared/clock.ts';
import { userRole } from '../../../shared/schemas/trust.ts';
import { UserError } from '../../../shared/user-error.ts';
import { type AdminVerb, adminVerb, type Principal } from '../types.ts';
import type { ApiTokens } from './api-tokens.ts';
import type { Attempts } from './attempts.ts';
import { accountName, newPassword } from './names.ts';
import type { PasswordCheck } from './password-check.ts';
import type { Sessions } from './sessions.ts';
import type { Users } from './users.ts';

export interface UserVerbParts {
  readonly users: Users;
  readonly tokens: ApiTokens;
  readonly sessions: Sessions;
  readonly passwords: PasswordCheck;
  readonly attempts: Attempts;
  readonly clock: Clock;
  /** Connections and sessions of this name end. */
  readonly ends: (name: string) => Promise<void>;
}

const name = accountName;
/** Whom to look for need not be well written to be refused. */
const known = z.string().max(64);

export function userVerbs(parts: UserVerbParts): readonly AdminVerb[] {
  const { users, tokens, sessions, passwords, ends } = parts;
  return [
    adminVerb({
      name: 'user.add',
      role: 'admin',
      args: z.strictObject({ name, role: userRole, password: newPassword.optional() }),
      audit: args => `${args.name} (${args.role})`,
      async run(args) {
        if (tokens.find(args.name)) {
          throw new UserError(`${args.name} is the name of an API token: one name is one thing, so choose another.`);
        }
        if (args.password !== undefined) refuseGuessable(args.name, args.password);
        await users.add(
          args.name,
          args.role,
          args.password === undefined ? undefined : await passwords.hash(args.password),
        );
        return { name: args.name, role: args.role };
      },
    }),
    adminVerb({
      name: 'user.password',
      role: 'viewer',
      args: z.strictObject({ name: known, password: newPassword, current: z.string().max(1024).optional() }),
      audit: args => args.name,
      async run(args, by) {
        await mayChangePassword(parts, args, by);
        refuseGuessable(args.name, args.password);
        await users.setPassword(args.name, await passwords.hash(args.password));
        await ends(args.name);
        return { name: args.name, certificates: users.get(args.name)?.certs.length ?? 0 };
      },
    }),
    adminVerb({
      name: 'user.role',
      role: 'admin',
      args: z.strictObject({ name: known, role: userRole }),
      audit: args => `${args.name} (${args.role})`,
      async run(args) {
        await users.setRole(args.name, args.role);
        await ends(args.name);
        return { name: args.name, role: args.role };
      },
    }),
    adminVerb({
      name: 'user.revoke',
      role: 'admin',
      args: z.strictObject({ name: known }),
      audit: args => args.name,
      async run(args) {
        await users.revoke(args.name);
        await ends(args.name);
        return { name: args.name };
      },
    }),
    adminVerb({
      name: 'user.remove',
      role: 'admin',
      args: z.strictObject({ name: known }),
      audit: args => args.name,
      async run(args) {
        try {
          await users.remove(args.name);
        } finally {
          // Where the disk refuses, the user is gone from memory all the same.
          if (!users.get(args.name)) await ends(args.name);
        }
        return { name: args.name };
      },
    }),
    adminVerb({
      name: 'user.list',
      role: 'admin',
      args: z.strictObject({}),
      run: () => ({
        users: [...users.all()].map(([each, user]) => ({
          name: each,
          role: user.role,
          password: user.hash !== undefined,
          created_ms: user.created_ms,
          changed_ms: user.changed_ms,
          sessions: sessions.count(each),
          certificates: user.certs.map(({ serial, expires_ms }) => ({ serial, expires_ms })),
        })),
      }),
    }),
  ];
}

/** Administrators change every password; others their own, if they know it: a session left open is not enough. */
async function mayChangePassword(
  { users, passwords, attempts, clock }: UserVerbParts,
  { name: whose, current }: { readonly name: string; readonly current?: string | undefined },
  by: Principal,
): Promise<void> {
  if (by.role === 'admin') return;
  if (by.name !== whose || by.how === 'token' || !users.get(whose)) {
    throw new UserError('Only an administrator changes the password of somebody else.');
  }
  if (current === undefined) throw new UserError('"current" is missing: say the present password, too.');
  const from = 'a session';
  const waitMs = attempts.wait(from, whose, clock.now());
  if (waitMs > 0) throw new UserError(`Too many tries have failed: try again in ${Math.ceil(waitMs / 1000)} s.`);
  const attempt = attempts.begin(from, whose, clock.now());
  const right = await passwords.check(whose, current);
  attempt.end(right === 'busy' ? 'busy' : right ? 'good' : 'wrong', clock.now());
  if (right === 'busy') throw new UserError('Too many logins wait: try again in a moment.');
  if (!right) throw new UserError('The present password is wrong.');
}

function refuseGuessable(user: string, password: string): void {
  if (password.toLowerCase() === user || new Set(password).size < 3) {
    throw new UserError('This password is guessed at once: choose another.');
  }
}
