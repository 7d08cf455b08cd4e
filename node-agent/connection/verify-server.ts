/**
 * Whether who answers is the supervisor of this node's cluster. Judged here and not by OpenSSL, which knows only this
 * machine's clock: chain, name and use are checked as RFC 5280 and RFC 6125 say, validity by the time that is trusted. Pure.
 */
import { X509Certificate } from 'node:crypto';

export interface ServerCheck {
  /** CA certificates of the trust bundle, PEM. */
  readonly ca: readonly string[];
  /** DNS name that must be among the certificate's alternative names. */
  readonly name: string;
  /** Trusted time, epoch milliseconds. */
  readonly at: number;
}

/** `chain`: a newer bundle may know its CA. `time`: the clock may be wrong. Nothing helps against the others. */
export type Distrust = 'chain' | 'time' | 'name' | 'use';

export type ServerVerdict =
  /** `direct`: signed by a CA of the bundle itself, and not by one that it vouches for only: then there is a newer bundle. */
  | { readonly ok: true; readonly direct: boolean }
  | { readonly ok: false; readonly why: Distrust; readonly sentence: string };

const serverAuth = '1.3.6.1.5.5.7.3.1';
/** Leaf, the cross-signed CA, and one to spare. */
const longestChain = 4;

/** @param chain what the server sent, DER, the leaf first. */
export function verifyServer(chain: readonly Uint8Array[], { ca, name, at }: ServerCheck): ServerVerdict {
  let sent: X509Certificate[];
  let roots: X509Certificate[];
  try {
    sent = chain.slice(0, longestChain).map(der => new X509Certificate(der));
    roots = ca.map(pem => new X509Certificate(pem));
  } catch {
    return no('chain', 'it shows no certificate that can be read');
  }
  const [leaf, ...others] = sent;
  if (!leaf) return no('chain', 'it shows no certificate');
  if (leaf.ca) return no('use', 'it shows the certificate of a CA as its own');
  // From here on every certificate on the way is signed by the next one, up to a CA of the bundle.
  const path = pathOf(leaf, others, roots);
  if (!path) return no('chain', "its certificate is not signed by this cluster's CA");
  if (!(leaf.keyUsage ?? []).includes(serverAuth)) return no('use', 'its certificate is not one for servers');
  if (leaf.checkHost(name, { subject: 'never', wildcards: false }) === undefined) {
    return no('name', `its certificate is not for ${name}`);
  }
  for (const certificate of path) {
    const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
    if (!(at >= from && at <= to)) {
      return no(
        'time',
        `its certificate is valid from ${certificate.validFrom} to ${certificate.validTo}, now is ${utc(at)}`,
      );
    }
  }
  return { ok: true, direct: path.length === 2 };
}

/** A clock may show anything. */
const utc = (at: number): string => (Math.abs(at) < 8e15 ? new Date(at).toUTCString() : `${at} ms`);

const no = (why: Distrust, sentence: string): ServerVerdict => ({ ok: false, why, sentence });

function pathOf(
  leaf: X509Certificate,
  others: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): readonly X509Certificate[] | undefined {
  const root = roots.find(one => isIssued(leaf, one));
  if (root) return [leaf, root];
  for (const between of others) {
    if (!isIssued(leaf, between)) continue;
    const above = roots.find(one => isIssued(between, one));
    if (above) return [leaf, between, above];
  }
  return undefined;
}

function isIssued(certificate: X509Certificate, by: X509Certificate): boolean {
  try {
    return by.ca && certificate.checkIssued(by) && certificate.verify(by.publicKey);
  } catch {
    return false;
  }
}
