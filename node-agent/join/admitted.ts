/** What a supervisor's `joined` must be before it is kept: a certificate for this key, by a CA of this cluster. Pure. */
import { type KeyObject, X509Certificate } from 'node:crypto';
import type { Verifier } from '../../shared/authority.ts';
import { fail, ok, type Result } from '../../shared/errors.ts';
import type { BundleBody, JoinAnswer } from '../../shared/schemas/trust.ts';
import { openBundle } from '../../shared/trust-statements.ts';
import { parseBroker } from '../connection/broker-address.ts';
import { publicKeyOf } from './csr.ts';
import type { Membership } from './membership.ts';

export type Joined = Extract<JoinAnswer, { readonly state: 'joined' }>;
export type Admitted = Pick<
  Membership,
  'node' | 'cluster' | 'base' | 'cert' | 'bundle' | 'serial' | 'ca' | 'brokers' | 'floor_ms' | 'room' | 'zone' | 'roles'
>;

const clientAuth = '1.3.6.1.5.5.7.3.2';
/** Clocks are read at different moments. */
const slackMs = 300_000;

export function admitted(
  answer: Joined,
  own: { readonly key: KeyObject; readonly known: BundleBody; readonly verifier: Verifier; readonly at: number },
): Result<Admitted> {
  const body = openBundle(own.verifier, answer.bundle, own.known.cluster);
  if (!body.ok) return body;
  // An older statement is no worse signed; what is known is not given up for it.
  const newer = body.value.serial >= own.known.serial;
  const { cluster, key, serial, ca, base } = newer ? body.value : own.known;
  if (!newer) return fail('signature', `the bundle has serial ${body.value.serial}, but ${own.known.serial} is known`);
  const wrong = whyWrong(answer, cluster, ca, own);
  if (wrong !== undefined) return fail('signature', wrong);
  const brokers = answer.brokers.filter(isSecureBroker);
  if (brokers.length === 0) return fail('schema', 'the supervisor names no broker with TLS');
  const { node, cert, bundle, room, zone, roles } = answer;
  return ok({
    ...{ node, cluster: { fingerprint: cluster, key }, base, cert, bundle, serial, ca, brokers, floor_ms: own.at },
    ...(room ? { room } : {}),
    ...(zone ? { zone } : {}),
    ...(roles ? { roles } : {}),
  });
}

function whyWrong(
  { cert, node }: Joined,
  cluster: string,
  ca: readonly string[],
  { key, at }: { readonly key: KeyObject; readonly at: number },
): string | undefined {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
    const mine = publicKeyOf(key).equals(certificate.publicKey.export({ type: 'spki', format: 'der' }));
    if (!mine) return 'the certificate is for another key';
    const issued = ca.map(pem => new X509Certificate(pem)).some(one => certificate.verify(one.publicKey));
    if (!issued) return 'the certificate is not by a CA of the cluster';
  } catch {
    return 'the certificate cannot be read';
  }
  // The name that the broker goes by; a user's certificate has another one.
  const names = (certificate.subjectAltName ?? '').split(', ');
  if (!names.includes(`URI:urn:hearth:${cluster}:node:${node}`)) return `the certificate is not for "${node}"`;
  if (certificate.ca || !(certificate.keyUsage ?? []).includes(clientAuth))
    return 'the certificate is not for a client';
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  return at >= from - slackMs && at <= to ? undefined : 'the certificate is not valid now';
}

function isSecureBroker(url: string): boolean {
  try {
    return parseBroker(url).tls && url.startsWith('mqtts://');
  } catch {
    return false;
  }
}
