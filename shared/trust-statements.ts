/** What the cluster's Ed25519 key states outside of orders: which CA it trusts, and what time it is. */
import type { Signer, Verifier } from './authority.ts';
import { check, parseJson } from './codec.ts';
import { fail, ok, type Result } from './errors.ts';
import { type BundleBody, bundleBody, signedTimeBody, type TrustBundle } from './schemas/trust.ts';

const bundleContext = (text: string): string => `hearth/bundle\n${text}`;
const timeContext = (text: string): string => `hearth/time\n${text}`;

export function sealBundle(signer: Signer, body: Omit<BundleBody, 'cluster' | 'key'>): TrustBundle {
  const text = JSON.stringify({ cluster: signer.cluster, key: signer.key, ...body });
  return { text, sig: signer.sign(bundleContext(text)) };
}

/** @param cluster the fingerprint that is trusted; undefined takes the key that the bundle itself names (first use). */
export function openBundle(verifier: Verifier, bundle: TrustBundle, cluster: string | undefined): Result<BundleBody> {
  const json = parseJson(bundle.text);
  const body = json.ok ? check(bundleBody, json.value) : json;
  if (!body.ok) return body;
  const { key } = body.value;
  const found = verifier.fingerprint(key);
  if (found === undefined || found !== body.value.cluster)
    return fail('signature', 'the bundle names no key of its cluster');
  if (cluster !== undefined && found !== cluster) {
    return fail('signature', `this is the supervisor of cluster ${found}, not of ${cluster}`);
  }
  if (!verifier.verify(key, bundleContext(bundle.text), bundle.sig)) {
    return fail('signature', "the bundle is not signed by its cluster's key");
  }
  return ok(body.value);
}

export function sealTime(signer: Signer, atMs: number, nonce: string): TrustBundle {
  const text = JSON.stringify({ at_ms: atMs, nonce });
  return { text, sig: signer.sign(timeContext(text)) };
}

/** @returns epoch milliseconds, where the key says so now: the nonce is the asker's own. */
export function openTime(verifier: Verifier, key: string, answer: TrustBundle, nonce: string): Result<number> {
  if (!verifier.verify(key, timeContext(answer.text), answer.sig)) {
    return fail('signature', "the time is not signed by the cluster's key");
  }
  const json = parseJson(answer.text);
  const body = json.ok ? check(signedTimeBody, json.value) : json;
  if (!body.ok) return body;
  return body.value.nonce === nonce ? ok(body.value.at_ms) : fail('signature', 'the time is an old answer');
}
