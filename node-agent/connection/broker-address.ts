/** The address of a broker, as people and certificates' issuers write it. */
import { isIP } from 'node:net';
import { UserError } from '../../shared/user-error.ts';

export interface BrokerAddress {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  /** The broker is reached over this machine's loopback. */
  readonly loopback: boolean;
}

/** @param url `mqtt://[user:password@]host[:port]` or `mqtts://…`. Throws a {@link UserError} that says what is wrong. */
export function parseBroker(url: string): BrokerAddress {
  const way = 'use mqtt://HOST:PORT or mqtts://HOST:PORT';
  let parsed: URL;
  try {
    parsed = new URL(url.includes('://') ? url : `mqtt://${url}`);
  } catch {
    throw new UserError(`--broker "${url}" is not an address: ${way}`);
  }
  const tls = parsed.protocol === 'mqtts:';
  if (!tls && parsed.protocol !== 'mqtt:') {
    throw new UserError(`--broker "${parsed.protocol}//" is not served: ${way}`, 2);
  }
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  if (host === '') throw new UserError(`--broker "${url}" names no host: ${way}`);
  return {
    tls,
    host,
    port: parsed.port === '' ? (tls ? 8883 : 1883) : Number(parsed.port),
    loopback: host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host),
    ...(parsed.username === '' ? {} : { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password === '' ? {} : { password: decodeURIComponent(parsed.password) }),
  };
}

/** An IP address, which is no server name (RFC 6066, section 3). */
export const isAddress = (host: string): boolean => isIP(host) !== 0;

/** Without a name and a password. */
export const urlOf = ({ tls, host, port }: BrokerAddress): string =>
  `${tls ? 'mqtts' : 'mqtt'}://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
