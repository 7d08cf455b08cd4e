/** Where a Wemo Insight may be asked: an address that people write into a document is checked before it is accepted. Pure. */
import { BlockList, isIP } from 'node:net';
import { fail, ok, type Result } from '../errors.ts';
import { printable } from '../names.ts';

/** Its port wanders among these as it restarts. The usual one first. */
export const wemoPorts: readonly number[] = [49_153, 49_152, 49_154, 49_151, 49_155];
const usualPort = 49_153;

/** Addresses of a house: RFC 1918, unique local (RFC 4193), loopback. Not link-local: clouds keep their secrets at 169.254.169.254. */
const house = new BlockList();
house.addSubnet('10.0.0.0', 8);
house.addSubnet('172.16.0.0', 12);
house.addSubnet('192.168.0.0', 16);
house.addSubnet('127.0.0.0', 8);
house.addSubnet('fc00::', 7, 'ipv6');
house.addAddress('::1', 'ipv6');

export function isOfTheHouse(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && house.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

export interface WemoPlace {
  /** A literal address of the house, or a name whose address is looked at when it is asked. */
  readonly host: string;
  readonly port: number;
}

/**
 * Where a plug is asked, from the document's `wemo`. The supervisor stands inside the network, so whoever may write a document
 * must not make it talk to anything else (server-side request forgery): only this one question goes out, only to the
 * ports a Wemo has, only to addresses of the house, to a path that nobody can choose, and no redirect is followed.
 */
export function wemoPlace(text: string): Result<WemoPlace> {
  const use = 'use http://ADDRESS:49153 with its address in your network';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' || url.hostname === '')
    return fail('schema', `"${printable(text, 60)}" is no address of a Wemo: ${use}`);
  if (url.username !== '' || url.password !== '' || url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    return fail('schema', `a Wemo's address has no path, user or question in it: ${use}`);
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0 && !isOfTheHouse(host)) return fail('schema', `${host} is not in a private network: ${use}`);
  // The parser drops the port 80, which is none of a Wemo's either.
  const port = url.port !== '' ? Number(url.port) : /:\d+\/?$/.test(text) ? 80 : usualPort;
  if (port < 49_151 || port > 49_155) return fail('schema', `a Wemo answers on a port from 49151 to 49155: ${use}`);
  return ok({ host, port });
}
