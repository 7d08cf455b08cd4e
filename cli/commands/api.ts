/** `hearth api`: tokens with which programs log in, over MQTT as the password and over HTTP as the bearer. */
import { printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';
import { type AdminFlags, adminCall } from '../admin.ts';
import { ago, table } from '../table.ts';
import { day } from './user.ts';

interface ListedToken {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly by: string;
  readonly created_ms: number;
  readonly expires_ms?: number;
  readonly used_ms?: number;
}

export async function create(
  name: string,
  flags: AdminFlags & { readonly role: string; readonly days?: string },
): Promise<number> {
  const { days } = flags;
  if (days !== undefined && !/^\d{1,4}$/.test(days)) {
    throw new UserError(`--days: "${printable(days)}" is no number of days: write 0 (no end) to 3650.`, 2);
  }
  const ask = { name, role: flags.role, ...(days === undefined ? {} : { days: Number(days) }) };
  const made = await adminCall<{ token: string; expires_ms?: number }>(flags, 'api.create', ask);
  const end = made.expires_ms === undefined ? 'It does not end by itself.' : `It ends on ${day(made.expires_ms)}.`;
  console.error(`hearth: keep this token; it cannot be shown again. ${end}`);
  console.log(printable(made.token, 200));
  return 0;
}

export async function list(flags: AdminFlags & { readonly json?: boolean }): Promise<number> {
  const { tokens } = await adminCall<{ tokens: readonly ListedToken[] }>(flags, 'api.list');
  if (flags.json) console.log(JSON.stringify(tokens, undefined, 2));
  else if (tokens.length > 0) console.log(formatTokens(tokens, Date.now()));
  else console.error('hearth: there are no API tokens yet.');
  return 0;
}

export function formatTokens(tokens: readonly ListedToken[], now: number): string {
  const rows = [...tokens]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ id, name, role, by, created_ms, expires_ms, used_ms }) => {
      const over = expires_ms !== undefined && expires_ms <= now;
      const end = expires_ms === undefined ? 'never' : over ? `${day(expires_ms)} (over)` : day(expires_ms);
      // The supervisor remembers it in memory alone.
      const used = used_ms === undefined ? '' : used_ms > now - 1000 ? 'now' : `${ago(now - used_ms)} ago`;
      return [name, id, role, by, day(created_ms), end, used].map(cell => printable(cell, 80));
    });
  return table(['TOKEN', 'ID', 'ROLE', 'MADE BY', 'SINCE', 'ENDS', 'USED'], rows);
}

export async function revoke(name: string, flags: AdminFlags): Promise<number> {
  const answer = await adminCall<{ name: string }>(flags, 'api.revoke', { name });
  console.log(`The token ${printable(answer.name)} counts no more.`);
  return 0;
}
