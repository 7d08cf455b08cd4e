/**
 * A Wemo Insight's watts by its UPnP service `insight`: what is asked, where, and what its answer says. Pure.
 *
 * `POST /upnp/control/insight1` with `SOAPACTION: "urn:Belkin:service:insight:1#GetInsightParams"`; the answer's one element
 * `InsightParams` holds at least ten fields with `|` between: 0 the state (0 off, 1 on, 8 on without a load), 7 the power in mW, 9 the
 * energy ever in mW·min (openhab/openhab-addons issue 545; pywemo issue 154). Its port wanders from 49151 to 49155 as it restarts.
 */
import { BlockList, isIP } from 'node:net';
import { fail, ok, type Result } from '../../../shared/errors.ts';
import { printable } from '../../../shared/names.ts';

/** The usual one first. */
export const wemoPorts: readonly number[] = [49_153, 49_152, 49_154, 49_151, 49_155];
const usualPort = 49_153;
export const wemoPath = '/upnp/control/insight1';
export const wemoAction = '"urn:Belkin:service:insight:1#GetInsightParams"';
export const wemoQuestion =
  '<?xml version="1.0" encoding="utf-8"?>' +
  '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">' +
  '<s:Body><u:GetInsightParams xmlns:u="urn:Belkin:service:insight:1"></u:GetInsightParams></s:Body></s:Envelope>';
/** Bytes of an answer. */
export const mostAnswer = 16 * 1024;

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

export interface Insight {
  readonly watts: number;
  readonly energyWh: number;
}

/** Digits, dots and bars alone: no entity, no markup can be in it, whatever else the answer holds. */
const element = /<InsightParams>([\d|.]{1,300})<\/InsightParams>/g;

export function insightIn(answer: string): Result<Insight> {
  const found = [...answer.slice(0, mostAnswer).matchAll(element)];
  const fields = found.length === 1 ? (found[0]?.[1] ?? '').split('|') : [];
  const [state, milliwatts, total] = [fields[0], Number(fields[7]), Number(fields[9])];
  if (fields.length < 10 || fields.length > 12 || state === undefined || !['0', '1', '8'].includes(state)) {
    return fail('schema', 'its answer is not that of a Wemo Insight: is it another kind of plug?');
  }
  const watts = state === '0' ? 0 : milliwatts / 1000;
  if (!Number.isFinite(total) || !(watts >= 0 && watts <= 20_000))
    return fail('schema', 'its answer holds numbers that cannot be');
  return ok({ watts, energyWh: total / 60_000 });
}
