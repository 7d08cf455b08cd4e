/** Under which names and addresses the supervisor is reached, as its certificate says them. */
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { serverName } from '../../../shared/schemas/trust.ts';

export interface ServerNames {
  readonly dns: readonly string[];
  readonly ip: readonly string[];
}

/** A machine full of containers has hundreds; a certificate of that length would no longer fit a TLS flight. */
const mostAddresses = 64;
const hostPattern = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*$/;

/** The cluster's own name first; then the machine's, the one mDNS gives it, and every address. Sorted, so that equal sets are equal. */
export function serverNames(cluster: string, host: string, addresses: readonly string[]): ServerNames {
  const full = host.toLowerCase().replace(/\.$/, '');
  const names = hostPattern.test(full) && isIP(full) === 0 ? [full, `${full.split('.')[0]}.local`] : [];
  const own = addresses.map(plainAddress).filter(address => address !== undefined);
  const others = [...new Set(own)].filter(address => address !== '127.0.0.1' && address !== '::1').sort();
  return {
    dns: [...new Set([serverName(cluster), 'localhost', ...names])],
    ip: ['127.0.0.1', '::1', ...others.slice(0, mostAddresses)],
  };
}

/** An address as certificates hold it: without a zone, IPv6 in its one short form (RFC 5952). */
export function plainAddress(address: string): string | undefined {
  const bare = address.replace(/%.*$/, '').toLowerCase();
  if (isIP(bare) === 4) return bare;
  if (isIP(bare) !== 6) return undefined;
  return new URL(`http://[${bare}]/`).hostname.slice(1, -1);
}

/** Of this machine, now. */
export const machineAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(({ address }) => address));

export const machineName = (): string => hostname();
