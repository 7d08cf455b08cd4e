/** Who may use the mirror. What it serves is everybody's; what counts is who may make this machine work, and what a wire may change. Pure. */
import { BlockList, isIPv6 } from 'node:net';
import type { Role } from '../../shared/schemas/trust.ts';
import { isAllowed } from '../http/permission.ts';
import { isSigned, type Upstream } from './upstreams.ts';

export interface MirrorAsker {
  readonly loopback: boolean;
  readonly secure: boolean;
  /** Without a zone. */
  readonly address: string;
  /** Undefined: nobody in particular. */
  readonly role?: Role | undefined;
}

/** Addresses that no router of the internet forwards (RFC 1918, RFC 3927, RFC 4193, RFC 4291). */
const own = new BlockList();
own.addSubnet('10.0.0.0', 8);
own.addSubnet('172.16.0.0', 12);
own.addSubnet('192.168.0.0', 16);
own.addSubnet('169.254.0.0', 16);
own.addSubnet('fc00::', 7, 'ipv6');
own.addSubnet('fe80::', 10, 'ipv6');

export const isPrivate = (address: string): boolean => own.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');

/** @returns undefined where it may, else the sentence for a 403, or a 401 where a login helps. */
export function refusedMirror(
  asker: MirrorAsker,
  upstream: Pick<Upstream, 'kind' | 'name'>,
): { readonly status: 401 | 403; readonly sentence: string } | undefined {
  // Package managers give up their rights before they fetch, so that a user of this machine is not told from another.
  if (asker.loopback) return undefined;
  if (asker.secure) {
    if (isAllowed('artifacts', asker.role)) return undefined;
    return {
      status: 401,
      sentence: 'The mirror is for nodes of this cluster, by their certificate, and for who is known here.',
    };
  }
  if (!isPrivate(asker.address)) {
    return { status: 403, sentence: 'Without TLS the mirror is for private addresses alone.' };
  }
  if (isSigned(upstream)) return undefined;
  const sentence = `What ${upstream.name} serves is not signed: it is mirrored over https alone, with the cluster's CA ("hearth ca show --pem").`;
  return { status: 403, sentence };
}
