/** `hearth nodes --pending` and `--joined`, `hearth approve`, `deny` and `revoke`: machines and their certificates. */
import { printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';
import { type AdminFlags, adminCall } from '../admin.ts';
import { ago, table } from '../table.ts';

export interface PlaceFlags {
  readonly room?: string;
  readonly zone?: string;
  readonly roles?: string;
}

export const placeArgs = ({ room, zone, roles }: PlaceFlags): object => ({
  ...(room === undefined ? {} : { room }),
  ...(zone === undefined ? {} : { zone }),
  ...(roles === undefined ? {} : { roles: roles.split(',').map(role => role.trim()) }),
});

interface Pending {
  readonly code: string;
  readonly node: string;
  readonly address: string;
  readonly hostname: string;
  readonly os: string;
  readonly arch: string;
  readonly macs: string;
  readonly since_ms: number;
  readonly note?: string;
}

const shown = (cell: string): string => printable(cell, 80);

export async function pending(flags: AdminFlags & { readonly json?: boolean }): Promise<number> {
  const { pending: machines } = await adminCall<{ pending: readonly Pending[] }>(flags, 'join.pending');
  if (flags.json) console.log(JSON.stringify(machines, undefined, 2));
  else if (machines.length === 0) console.error('hearth: no machine waits to be let in.');
  else console.log(formatPending(machines, Date.now()));
  return 0;
}

export function formatPending(machines: readonly Pending[], now: number): string {
  const rows = machines.map(({ code, node, address, os, arch, macs, since_ms, note }) =>
    [code, node, address, `${os} ${arch}`, macs.split(',')[0] ?? '', ago(now - since_ms), note ?? ''].map(shown),
  );
  return `${table(['CODE', 'NODE', 'ADDRESS', 'SYSTEM', 'MAC', 'WAITS', 'NOTE'], rows)}
Let one in whose own screen or log shows the same code: hearth approve CODE`;
}

interface Joined {
  readonly node: string;
  readonly state: string;
  readonly hostname: string;
  readonly by: string;
  readonly joined_ms: number;
  readonly expires_ms: number;
  readonly clone_of?: string;
}

export async function joined(flags: AdminFlags & { readonly json?: boolean }): Promise<number> {
  const { nodes } = await adminCall<{ nodes: readonly Joined[] }>(flags, 'node.list');
  if (flags.json) console.log(JSON.stringify(nodes, undefined, 2));
  else if (nodes.length === 0) console.error('hearth: no node has joined with a certificate yet.');
  else {
    const now = Date.now();
    const rows = nodes.map(({ node, state, hostname, by, joined_ms, expires_ms }) =>
      [
        node,
        state,
        hostname,
        by,
        ago(now - joined_ms),
        expires_ms > now ? `for ${ago(expires_ms - now)}` : 'expired',
      ].map(shown),
    );
    console.log(table(['NODE', 'STATE', 'HOST', 'LET IN BY', 'SINCE', 'CERTIFICATE'], rows));
  }
  return 0;
}

export interface ApproveFlags extends AdminFlags, PlaceFlags {
  readonly node?: string;
  readonly replace?: boolean;
}

export async function approve(codes: readonly string[], flags: ApproveFlags): Promise<number> {
  const { node, replace } = flags;
  if (node !== undefined && codes.length > 1)
    throw new UserError('--node names one machine: give one code with it.', 2);
  if (replace && node === undefined) throw new UserError('--replace needs --node: which node shall it go on as?', 2);
  for (const code of codes) {
    const args = {
      code,
      ...(node === undefined ? {} : { node }),
      ...(replace ? { replace } : {}),
      ...placeArgs(flags),
    };
    const answer = await adminCall<{ node: string }>(flags, 'join.approve', args);
    console.log(`${printable(code)} is node ${printable(answer.node)} now.`);
  }
  return 0;
}

export async function deny(codes: readonly string[], flags: AdminFlags): Promise<number> {
  for (const code of codes) {
    const answer = await adminCall<{ code: string }>(flags, 'join.deny', { code });
    console.log(`${printable(answer.code)} is turned away for an hour.`);
  }
  return 0;
}

export async function revoke(node: string, flags: AdminFlags): Promise<number> {
  const { copies } = await adminCall<{ copies: readonly string[] }>(flags, 'node.revoke', { node });
  const id = printable(node);
  console.log(`${id} has no certificate any more. "hearth token --node ${id}" lets a machine go on as it.`);
  if (copies.length > 0) {
    const names = copies.map(copy => printable(copy)).join(', ');
    console.log(
      `By its key, as copies of its folder, these had joined: ${names}. If the key was stolen, revoke them, too.`,
    );
  }
  return 0;
}
