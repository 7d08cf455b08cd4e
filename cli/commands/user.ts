/** `hearth user`: who may log in. Passwords are typed unseen or read from standard input, never arguments. */
import { printable } from '../../shared/names.ts';
import { type AdminFlags, adminCall } from '../admin.ts';
import { readNewHidden } from '../hidden-input.ts';
import { table } from '../table.ts';

interface ListedUser {
  readonly name: string;
  readonly role: string;
  readonly password: boolean;
  readonly created_ms: number;
  readonly changed_ms: number;
  readonly sessions: number;
  readonly certificates: readonly { readonly serial: string; readonly expires_ms: number }[];
}

const askPassword = (name: string): Promise<string> =>
  readNewHidden(`New password of ${printable(name)}: `, 'The same again: ');

export async function add(
  name: string,
  flags: AdminFlags & { readonly role: string; readonly password: boolean },
): Promise<number> {
  const password = flags.password ? { password: await askPassword(name) } : {};
  await adminCall(flags, 'user.add', { name, role: flags.role, ...password });
  console.log(`${name} may log in as ${flags.role}.`);
  return 0;
}

export async function password(name: string, flags: AdminFlags): Promise<number> {
  const ask = { name, password: await askPassword(name) };
  const { certificates } = await adminCall<{ certificates: number }>(flags, 'user.password', ask);
  console.log(`${name} has a new password; what was logged in with the old one has to log in again.`);
  if (certificates > 0) {
    console.log(`Certificates that still count: ${certificates}. "hearth user revoke ${name}" ends them.`);
  }
  return 0;
}

export async function role(name: string, to: string, flags: AdminFlags): Promise<number> {
  await adminCall(flags, 'user.role', { name, role: to });
  console.log(`${name} is ${to} now.`);
  return 0;
}

export async function revoke(name: string, flags: AdminFlags): Promise<number> {
  await adminCall(flags, 'user.revoke', { name });
  console.log(`Certificates, sessions and connections of ${name} have ended; the password still counts.`);
  return 0;
}

export async function remove(name: string, flags: AdminFlags): Promise<number> {
  await adminCall(flags, 'user.remove', { name });
  console.log(`${name} is removed.`);
  return 0;
}

export async function list(flags: AdminFlags & { readonly json?: boolean }): Promise<number> {
  const { users } = await adminCall<{ users: readonly ListedUser[] }>(flags, 'user.list');
  if (flags.json) console.log(JSON.stringify(users, undefined, 2));
  else if (users.length > 0) console.log(formatUsers(users));
  else console.error('hearth: there are no users yet: add one with "hearth user add NAME --role admin".');
  return 0;
}

export const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

export function formatUsers(users: readonly ListedUser[]): string {
  const rows = [...users]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, role, password, certificates, sessions, created_ms }) =>
      [name, role, password ? 'yes' : 'no', String(certificates.length), String(sessions), day(created_ms)].map(cell =>
        printable(cell, 80),
      ),
    );
  return table(['USER', 'ROLE', 'PASSWORD', 'CERTIFICATES', 'SESSIONS', 'SINCE'], rows);
}
