/** `hearth user cert`: a key made here, which never leaves this machine, and a certificate for it. */
import 'reflect-metadata';
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';
import { type AdminFlags, adminCall } from '../admin.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

interface Answer {
  readonly cert: string;
  readonly ca: readonly string[];
  readonly not_after_ms: number;
}

export async function userCert(
  user: string,
  flags: AdminFlags & { readonly days?: string; readonly out?: string },
): Promise<number> {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(user) || user.startsWith('.')) {
    throw new UserError(`"${printable(user)}" is no user's name: "hearth user list" shows them.`, 2);
  }
  const days = flags.days === undefined ? {} : { days: readDays(flags.days) };
  const folder = flags.out ?? '.';
  const file = (name: string) => join(folder, name);
  const files = { key: file(`${user}-key.pem`), cert: file(`${user}.pem`), ca: file(`${user}-ca.pem`) };
  const taken = Object.values(files).find(path => existsSync(path));
  if (taken) throw new UserError(`${taken} exists already: move it away, or give another folder with --out.`);
  const { key, csr } = await newKey();
  const answer = await adminCall<Answer>(flags, 'user.cert', { user, csr, ...days });
  if (!new X509Certificate(answer.cert).checkPrivateKey(createPrivateKey(key))) {
    throw new UserError('The supervisor answered with a certificate for another key: its log may say more.');
  }
  save(folder, [
    [files.key, key, 0o600],
    [files.cert, answer.cert, 0o644],
    [files.ca, answer.ca.map(pem => new X509Certificate(pem).toString()).join(''), 0o644],
  ]);
  console.log(
    `${files.key} and ${files.cert}: ${user}, until ${new Date(answer.not_after_ms).toISOString().slice(0, 10)}.`,
  );
  console.log(`${files.ca}: what the supervisor's own certificate is checked by.`);
  return 0;
}

function readDays(text: string): number {
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= 397) return days;
  throw new UserError(`--days: "${printable(text)}" is not a number of days from 1 to 397.`, 2);
}

async function newKey(): Promise<{ key: string; csr: string }> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({ name: '', keys, signingAlgorithm: algorithm });
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { key: `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n`, csr: csr.toString('pem') };
}

function save(folder: string, files: readonly (readonly [string, string, number])[]): void {
  try {
    mkdirSync(folder, { recursive: true });
    for (const [path, text, mode] of files) writeFileSync(path, text, { mode, flag: 'wx' });
  } catch (error) {
    throw new UserError(
      `${folder} cannot be written to (${(error as NodeJS.ErrnoException).code}): give another --out.`,
    );
  }
}
