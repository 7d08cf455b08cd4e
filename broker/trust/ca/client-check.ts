/** Whom a certificate names, if anybody. Everything is checked here: OpenSSL's own verdict goes by the machine's clock. */
import type { X509Certificate } from 'node:crypto';
import { isId, isItemName } from '../../../shared/names.ts';
import type { CertifiedClient } from '../types.ts';

/** Validity begins so long before the signature: for those whose clocks are behind. */
export const backdateMs = 86_400_000;

const clientAuth = '1.3.6.1.5.5.7.3.2';

/**
 * @param issuers CA certificates that may have signed it; no certificate between.
 * @param now where its validity is asked.
 */
export function certifiedClient(
  certificate: X509Certificate,
  cluster: string,
  issuers: readonly X509Certificate[],
  now: number | undefined,
): CertifiedClient | undefined {
  try {
    // Cheap questions first: whoever connects can make us ask them.
    if (certificate.ca || certificate.keyUsage?.join() !== clientAuth) return undefined;
    const [, ofCluster, kind, name] = uri.exec(certificate.subjectAltName ?? '') ?? [];
    if (ofCluster !== cluster || name === undefined || (kind !== 'node' && kind !== 'user')) return undefined;
    if (kind === 'node' ? !isId(name) : !isItemName(name)) return undefined;
    if (now !== undefined && !isValidAt(certificate, now)) return undefined;
    if (!issuers.some(issuer => certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)))
      return undefined;
    const issuedMs = Date.parse(certificate.validFrom) + backdateMs;
    return { kind, name, serial: certificate.serialNumber.toLowerCase(), issuedMs };
  } catch {
    return undefined;
  }
}

/** The one alternative name. Whatever else a certificate holds, the whole text is then another. */
const uri = /^URI:urn:hearth:([0-9a-f]{32}):(node|user):(.{1,64})$/;

export const isValidAt = (certificate: X509Certificate, now: number): boolean =>
  now >= Date.parse(certificate.validFrom) && now <= Date.parse(certificate.validTo);
