/** Addresses as limits count them: one form per machine, and for IPv6 also the network that one machine can fill alone. */
import { isIPv6 } from 'node:net';

/** Without a zone; an IPv4 address that came over an IPv6 socket is the IPv4 address. */
export function plainAddress(address: string | undefined): string {
  const bare = (address ?? '').split('%', 1)[0] ?? '';
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(bare) ? bare.slice(7) : bare.toLowerCase();
}

export const isLoopbackAddress = (address: string): boolean =>
  address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);

/** The /64 of an IPv6 address, of which one machine may have every address; undefined for all others and link-local ones. */
export function addressNetwork(address: string): string | undefined {
  if (!isIPv6(address) || address === '::1' || address.startsWith('fe80:')) return undefined;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return `${groups
    .slice(0, 4)
    .map(group => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
