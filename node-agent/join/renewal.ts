/** What a member asks of its supervisor between joining and leaving: a new certificate, the newest bundle, the time. */
import type { KeyObject } from 'node:crypto';
import type { Verifier } from '../../shared/authority.ts';
import { check } from '../../shared/codec.ts';
import { sentence } from '../../shared/errors.ts';
import { type BundleBody, joinAnswer, type RenewRequest } from '../../shared/schemas/trust.ts';
import type { TrustedTime } from '../connection/trusted-time.ts';
import { admitted } from './admitted.ts';
import { AskError, ask, sentenceOf } from './ask.ts';
import { makeCsr, proofBy } from './csr.ts';
import type { Membership } from './membership.ts';
import { fetchBundle, fetchTime, trustedBy } from './statements.ts';

export interface RenewalParts {
  readonly member: Membership;
  readonly key: KeyObject;
  readonly verifier: Verifier;
  readonly time: TrustedTime;
  clockOff(ms: number): void;
}

export type Renewal =
  | { readonly kind: 'looked' | 'renewed'; readonly member: Membership }
  | { readonly kind: 'denied'; readonly sentence: string };

/**
 * Asks the addresses in turn until one answers for this cluster.
 * @throws AskError of the last one.
 */
export async function renewal(
  addresses: readonly string[],
  what: 'look' | 'renew',
  parts: RenewalParts,
): Promise<Renewal> {
  let last: unknown = new AskError('there is no address to ask');
  for (const address of addresses) {
    try {
      return await askOne(address, what, parts);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

async function askOne(address: string, what: 'look' | 'renew', parts: RenewalParts): Promise<Renewal> {
  const { verifier, time, key, clockOff } = parts;
  const opened = await fetchBundle(address, verifier, parts.member.cluster.fingerprint);
  clockOff(await fetchTime(address, verifier, opened.body, time));
  const member = withBundle(parts.member, opened.bundle, opened.body, time.now());
  if (what === 'look') return { kind: 'looked', member };
  const csr = makeCsr(key);
  const request: RenewRequest = { csr, cert: member.cert, proof: proofBy(key, 'renew', csr) };
  const known: BundleBody = { ...opened.body, serial: member.serial, ca: [...member.ca] };
  const answer = await ask(address, trustedBy(known, time), { method: 'POST', path: '/renew', body: request });
  if (answer.status === 403) return { kind: 'denied', sentence: sentenceOf(answer) };
  if (answer.status !== 200) throw new AskError(`${address}: ${sentenceOf(answer)}`);
  const read = check(joinAnswer, answer.json);
  if (!read.ok || read.value.state !== 'joined') throw new AskError(`${address}: what it answered cannot be read`);
  if (read.value.node !== member.node) throw new AskError(`${address}: it renewed another node's certificate`);
  const result = admitted(read.value, { key, known, verifier, at: time.now() });
  if (!result.ok) throw new AskError(`${address}: ${sentence(result.error)}`);
  const { refused: _, ...rest } = member;
  return { kind: 'renewed', member: { ...rest, ...result.value } };
}

/** A bundle that is not older than the one known takes its place. */
function withBundle(member: Membership, bundle: Membership['bundle'], body: BundleBody, now: number): Membership {
  const later = { ...member, floor_ms: now };
  if (body.serial < member.serial) return later;
  return { ...later, bundle, serial: body.serial, ca: body.ca, base: body.base };
}
