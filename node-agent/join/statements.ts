/**
 * What the cluster's key says for itself: who its CAs are, and what time it is. Signed, so that nobody on the way has to be
 * trusted for it; everything else is told and asked only of whom these statements vouch for.
 */
import { randomBytes } from 'node:crypto';
import type { Verifier } from '../../shared/authority.ts';
import { sentence } from '../../shared/errors.ts';
import { type BundleBody, serverName, signedTime, type TrustBundle, trustBundle } from '../../shared/schemas/trust.ts';
import { openBundle, openTime } from '../../shared/trust-statements.ts';
import type { TrustedTime } from '../connection/trusted-time.ts';
import { AskError, askFor, type Trusted } from './ask.ts';

export interface OpenedBundle {
  readonly bundle: TrustBundle;
  readonly body: BundleBody;
}

const anybody = (cluster: string | undefined): Trusted => ({
  trust: 'anybody',
  ...(cluster === undefined ? {} : { servername: serverName(cluster) }),
});

/** @param cluster the fingerprint that is trusted; undefined believes the first one. @throws AskError. */
export async function fetchBundle(
  address: string,
  verifier: Verifier,
  cluster: string | undefined,
): Promise<OpenedBundle> {
  const bundle = await askFor(address, anybody(cluster), { method: 'GET', path: '/trust/bundle' }, trustBundle);
  const body = openBundle(verifier, bundle, cluster);
  if (!body.ok) throw new AskError(`${address}: ${sentence(body.error)}`);
  return { bundle, body: body.value };
}

/**
 * Sets the trusted time. @returns this machine's wall clock less the supervisor's, the way there and back halved.
 * @throws AskError.
 */
export async function fetchTime(
  address: string,
  verifier: Verifier,
  { cluster, key }: Pick<BundleBody, 'cluster' | 'key'>,
  time: TrustedTime,
): Promise<number> {
  const nonce = randomBytes(24).toString('base64url');
  const asked = performance.now();
  const path = `/trust/time?nonce=${nonce}`;
  const answer = await askFor(address, anybody(cluster), { method: 'GET', path }, signedTime);
  const at = openTime(verifier, key, answer, nonce);
  if (!at.ok) throw new AskError(`${address}: ${sentence(at.error)}`);
  return time.said(at.value + (performance.now() - asked) / 2);
}

/** How the supervisor is known from here on. */
export const trustedBy = (body: Pick<BundleBody, 'cluster' | 'ca'>, time: TrustedTime): Trusted => ({
  servername: serverName(body.cluster),
  trust: { ca: body.ca, name: serverName(body.cluster), at: time.now() },
});
