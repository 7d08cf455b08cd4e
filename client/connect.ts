/** A program's own connection to a broker. What is secret does not leave the machine in the clear. */

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { atOnce } from './at-once.ts';
import { HearthError } from './errors.ts';

export interface ConnectOptions {
  readonly username?: string;
  readonly password?: string;
  /** API token (`hearth api create NAME --role operator`); instead of a name and a password. */
  readonly token?: string;
  /** The cluster's CA for `mqtts:` and `wss:`, as PEM or as the path of a file (`hearth ca show --pem`). */
  readonly ca?: string;
  /** First level of the cluster's topics; default `hearth`. */
  readonly base?: string;
  /** Unique among all clients of the broker; default: random. */
  readonly clientId?: string;
  /** For the first connection, ms; default 10,000. */
  readonly timeoutMs?: number;
}

const encrypted: ReadonlySet<string> = new Set(['mqtts:', 'wss:', 'ssl:', 'tls:']);
const plain: ReadonlySet<string> = new Set(['mqtt:', 'ws:', 'tcp:']);

/** @param url `mqtt://HOST:1883`, `mqtts://HOST:8883` or `wss://HOST:22581/mqtt`. @throws HearthError with the way out. */
export async function openConnection(url: string, options: ConnectOptions): Promise<MqttClient> {
  const at = addressOf(url);
  const wanted: IClientOptions = {
    ...loginOf(at, options),
    clientId: options.clientId ?? `hearth_client_${randomBytes(6).toString('hex')}`,
    connectTimeout: options.timeoutMs ?? 10_000,
    // Many programs that lost one broker do not come back all at once.
    reconnectPeriod: 500 + Math.random() * 1000,
    keepalive: 30,
    queueQoSZero: false,
  };
  try {
    return atOnce(await mqtt.connectAsync(url, wanted, false));
  } catch (error) {
    throw new HearthError('connect', reasonOf(error, at), { cause: error });
  }
}

function addressOf(url: string): URL {
  const example = 'write it as mqtt://127.0.0.1:1883, mqtts://HOST:8883 or wss://HOST:22581/mqtt';
  let at: URL;
  try {
    at = new URL(url);
  } catch {
    throw new HearthError('connect', `"${url}" is no address of a broker: ${example}.`);
  }
  if (!encrypted.has(at.protocol) && !plain.has(at.protocol)) {
    throw new HearthError('connect', `"${at.protocol}" leads to no broker: ${example}.`);
  }
  return at;
}

const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);

/** Exported for its test. */
export function loginOf(at: URL, { username, password, token, ca }: ConnectOptions): IClientOptions {
  const login: IClientOptions = {};
  if (ca !== undefined && encrypted.has(at.protocol)) login.ca = ca.includes('-----BEGIN') ? ca : readFileSync(ca);
  if (username === undefined && password === undefined && token === undefined) return login;
  if (token !== undefined && (username !== undefined || password !== undefined)) {
    throw new HearthError('connect', 'Give a token, or a username and a password, but not both.');
  }
  if (!encrypted.has(at.protocol) && !isLoopback(at)) {
    throw new HearthError('connect', `A password or token would go to ${at.host} in the clear: use mqtts: or wss:.`);
  }
  if (token !== undefined) return { ...login, username: 'token', password: token };
  return { ...login, ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) };
}

function reasonOf(error: unknown, at: URL): string {
  const { code, message, errors } = error as { code?: string | number; message: string; errors?: { code?: string }[] };
  const reason = String(code ?? errors?.[0]?.code ?? '');
  // Not the address as it was given: it may hold a password.
  const broker = `${at.protocol}//${at.host}`;
  if (reason === 'ECONNREFUSED') return `Nobody listens at ${broker}: is the supervisor running, and is this its port?`;
  if (reason === 'ENOTFOUND') return `There is no machine with the name in ${broker}.`;
  if (['4', '5', '134', '135'].includes(reason)) {
    return `The broker at ${broker} refuses this login: give an API token ("hearth api create") as "token", or "username" and "password".`;
  }
  if (/^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_UNTRUSTED)/.test(reason)) {
    return `The certificate of ${broker} is not from a CA that is known here: give the cluster's as "ca" ("hearth ca show --pem" prints it).`;
  }
  return `No connection to ${broker}: ${message || reason}`;
}
