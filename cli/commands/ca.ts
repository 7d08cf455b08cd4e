/** `hearth ca`: the cluster's certificate authority. */
import { printable } from '../../shared/names.ts';
import { type AdminFlags, adminCall } from '../admin.ts';

interface ShownServer {
  readonly not_after_ms: number;
  readonly dns: readonly string[];
  readonly ip: readonly string[];
}

export interface ShownCa {
  readonly cluster: string;
  readonly serial: number;
  readonly ca: readonly {
    readonly subject: string;
    readonly sha256: string;
    readonly not_after_ms: number;
    readonly pem: string;
  }[];
  readonly rotated_ms?: number;
  readonly server: ShownServer;
}

export async function show(flags: AdminFlags & { readonly json?: boolean; readonly pem?: boolean }): Promise<number> {
  const standing = await adminCall<ShownCa>(flags, 'ca.show');
  if (flags.json) console.log(JSON.stringify(standing, undefined, 2));
  else if (flags.pem) process.stdout.write(pemOf(standing));
  else console.log(formatCa(standing));
  return 0;
}

export async function rotate(flags: AdminFlags): Promise<number> {
  const standing = await adminCall<ShownCa>(flags, 'ca.rotate');
  console.log(formatCa(standing));
  console.log(
    '\nThe new certificate authority issues from now on. Nodes renew by themselves; browsers and other programs that\ntrust the old one go on until it is retired: give them the new one ("hearth ca show --pem"), then "hearth ca retire".',
  );
  return 0;
}

export async function retire(flags: AdminFlags & { readonly compromised?: boolean }): Promise<number> {
  const standing = await adminCall<ShownCa>(flags, 'ca.retire', { compromised: flags.compromised === true });
  console.log(formatCa(standing));
  console.log(
    '\nThe old certificate authority is trusted no more, and certificates of users that it signed have ended.',
  );
  return 0;
}

export async function renewServer(flags: AdminFlags): Promise<number> {
  const server = await adminCall<ShownServer>(flags, 'server.renew');
  console.log(`The server has a new key and certificate: ${formatServer(server)}`);
  return 0;
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const formatServer = ({ not_after_ms, dns, ip }: ShownServer): string =>
  `until ${day(not_after_ms)}, for ${[...dns, ...ip].map(name => printable(name, 260)).join(', ')}`;

export function formatCa({ cluster, serial, ca, rotated_ms, server }: ShownCa): string {
  const authorities = ca.flatMap(({ subject, sha256, not_after_ms }, index) => [
    `${index === 0 ? 'issues' : 'trusted'}   ${printable(subject, 120)}, until ${day(not_after_ms)}`,
    `          SHA-256 ${printable(sha256, 100)}`,
  ]);
  return [
    `cluster   ${printable(cluster)}`,
    `bundle    ${serial}`,
    ...authorities,
    ...(rotated_ms !== undefined && ca.length > 1 ? [`replaced  on ${day(rotated_ms)}`] : []),
    `server    ${formatServer(server)}`,
  ].join('\n');
}

/** Certificates and nothing else: what comes goes into a file that programs trust. */
function pemOf({ ca }: ShownCa): string {
  const whole = /^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n$/;
  return ca
    .map(({ pem }) => pem)
    .filter(pem => whole.test(pem))
    .join('');
}
