/** `hearth ssh`: certificates for SSH, so that neither machines nor people keep lists of each other's keys. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';
import { type AdminFlags, adminCall } from '../admin.ts';

const longestKey = 16 * 1024;

export async function ca(flags: AdminFlags & { readonly knownHosts?: boolean }): Promise<number> {
  const { public_key } = await adminCall<{ public_key: string }>(flags, 'ssh.ca');
  const line = printable(public_key, 1000);
  console.log(flags.knownHosts ? `@cert-authority * ${line}` : line);
  return 0;
}

export async function sign(
  keyFile: string,
  flags: AdminFlags & { readonly user?: string; readonly host?: string; readonly out?: string },
): Promise<number> {
  const { kind, principals } = whom(flags);
  const public_key = readKey(keyFile);
  const args = { public_key, kind, principals };
  const signed = await adminCall<{ certificate: string; not_after_ms: number }>(flags, 'ssh.sign', args);
  const out = flags.out ?? `${keyFile.replace(/\.pub$/, '')}-cert.pub`;
  if (!/^[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [ -~]*)?$/.test(signed.certificate)) {
    throw new UserError('The supervisor answered with something that is no SSH certificate: its log may say more.');
  }
  try {
    writeFileSync(out, `${signed.certificate}\n`, { mode: 0o644 });
    chmodSync(out, 0o644);
  } catch (error) {
    throw new UserError(
      `${out} cannot be written (${(error as NodeJS.ErrnoException).code}): name another with --out.`,
    );
  }
  console.log(`${out}: ${kind} certificate for ${principals.join(', ')}, until ${until(signed.not_after_ms)}.`);
  return 0;
}

const until = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ').concat(' UTC');

function whom({ user, host }: { readonly user?: string; readonly host?: string }) {
  const text = user ?? host;
  const principals = text?.split(',').map(name => name.trim()) ?? [];
  if ((user === undefined) === (host === undefined) || principals.includes('')) {
    throw new UserError(
      'Say whom the key is for: --user NAMES (login names) or --host NAMES (of the machine), by commas.',
      2,
    );
  }
  return { kind: user === undefined ? ('host' as const) : ('user' as const), principals };
}

function readKey(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(`${printable(file, 200)} cannot be read (${(error as NodeJS.ErrnoException).code}).`, 2);
  }
  // What is private does not leave this machine, not even by mistake.
  if (text.includes('PRIVATE KEY')) {
    throw new UserError(
      `${printable(file, 200)} is a private key: give the public one, the file that ends in .pub.`,
      2,
    );
  }
  if (text.length > longestKey) throw new UserError(`${printable(file, 200)} is too long for a public key.`, 2);
  return text;
}
