/** The command line's connection to a broker: one attempt, and one sentence when it fails. */

import { randomBytes } from 'node:crypto';
import type { IClientOptions, MqttClient } from 'mqtt';
import mqtt from 'mqtt';
import { atOnce } from '../client/at-once.ts';
import { settings } from '../shared/schemas/config.ts';
import { flagOrEnvironment } from '../shared/settings.ts';
import { UserError } from '../shared/user-error.ts';
import { brokerLogin } from './broker-login.ts';
import { brokerUrl } from './running-supervisor.ts';

export interface ClientFlags {
  readonly broker?: string;
  readonly base?: string;
  /** Data folder of the supervisor on this machine, whose broker is talked to where no other is named. */
  readonly data?: string;
  /** File with the cluster's CA certificate (HEARTH_CA), for a broker over TLS. */
  readonly ca?: string;
}

export interface Connected {
  readonly client: MqttClient;
  readonly base: string;
  /** Without credentials. */
  readonly broker: string;
}

/** A supervisor on an old machine that is busy takes seconds to answer. */
const connectMs = 10_000;
/** Reason codes for a protocol version that the broker does not speak: MQTT 5 (section 3.2.2.2) and 3.1.1. */
const versionRefused = new Set([0x84, 1]);

/** Connects, with MQTT 5 where the broker speaks it. @throws UserError with the way out. */
export async function connect(flags: ClientFlags, options: IClientOptions = {}): Promise<Connected> {
  const url = brokerUrl(flags, process.env);
  const base = String(flagOrEnvironment(settings.base, flags.base, process.env) ?? 'hearth');
  const broker = shown(url);
  const wanted: IClientOptions = {
    clientId: `hearth_cli_${randomBytes(5).toString('hex')}`,
    connectTimeout: connectMs,
    reconnectPeriod: 0,
    keepalive: 30,
    queueQoSZero: false,
    ...brokerLogin(new URL(url), flags.ca, process.env),
    ...options,
  };
  try {
    return { client: await open(url, { ...wanted, protocolVersion: 5 }), base, broker };
  } catch (error) {
    if (!versionRefused.has((error as { code?: number }).code ?? -1)) throw connectError(error, broker);
  }
  try {
    return { client: await open(url, { ...wanted, protocolVersion: 4 }), base, broker };
  } catch (error) {
    throw connectError(error, broker);
  }
}

function open(url: string, options: IClientOptions): Promise<MqttClient> {
  return new Promise((resolve, reject) => {
    const client = atOnce(mqtt.connect(url, options));
    const closed = () => failed(new Error('it closed the connection'));
    const failed = (error: unknown) => {
      clearTimeout(late);
      client.removeAllListeners();
      client.on('error', () => {});
      client.end(true);
      reject(error);
    };
    const late = setTimeout(() => failed(new Error('no answer')), connectMs + 500);
    client.once('error', failed);
    client.once('close', closed);
    client.once('connect', () => {
      clearTimeout(late);
      // Only these: the client has listeners of its own, without which it would not connect again.
      client.off('error', failed);
      client.off('close', closed);
      client.on('error', () => {});
      resolve(client);
    });
  });
}

function shown(url: string): string {
  const parsed = new URL(url);
  parsed.username = '';
  parsed.password = '';
  return parsed.href.replace(/\/$/, '');
}

const logins =
  'put an API token ("hearth api create") into HEARTH_TOKEN, or a name and password into HEARTH_BROKER, as mqtts://NAME:PASSWORD@HOST:8883';

function connectError(error: unknown, broker: string): UserError {
  const { code, message, errors } = error as { code?: string | number; message: string; errors?: { code?: string }[] };
  const reason = code ?? errors?.[0]?.code;
  const elsewhere = 'or name the right broker with --broker URL or HEARTH_BROKER';
  const why: Readonly<Record<string, string>> = {
    ECONNREFUSED: `Nobody listens at ${broker}: start a supervisor with "hearth up", ${elsewhere}.`,
    ENOTFOUND: `There is no such machine as in ${broker}: check the name, ${elsewhere}.`,
    EAI_AGAIN: `The name in ${broker} cannot be resolved just now: is the network up?`,
    EHOSTUNREACH: `The machine in ${broker} cannot be reached: is it on, and the network up?`,
    ENETUNREACH: `The machine in ${broker} cannot be reached: is the network up?`,
    '4': `The broker at ${broker} refuses this login: ${logins}.`,
    '5': `The broker at ${broker} refuses this user: ${logins}.`,
    '134': `The broker at ${broker} refuses this login: ${logins}.`,
    '135': `The broker at ${broker} refuses this user: ${logins}.`,
  };
  if (/^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_UNTRUSTED)/.test(String(reason))) {
    return new UserError(
      `The certificate of ${broker} is not from a CA that is known here: give the cluster's with --ca FILE ("hearth ca show --pem" on the supervisor's machine prints it).`,
    );
  }
  return new UserError(
    why[String(reason)] ?? `No connection to ${broker} (${message || reason}): check it, ${elsewhere}.`,
  );
}

/** Says goodbye, waits a moment for it, and lets go. */
export function disconnect(client: MqttClient): Promise<void> {
  return new Promise(resolve => {
    const late = setTimeout(resolve, 1000);
    client.end(false, {}, () => {
      clearTimeout(late);
      resolve();
    });
  });
}
