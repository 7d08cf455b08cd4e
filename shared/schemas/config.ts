/**
 * Settings of `hearth up` and `hearth agent`. One table: flags, environment, hearth.yaml, their help texts, the JSON
 * Schema and the reference page all come from it.
 */
import { z } from 'zod';
import { isId } from '../names.ts';

/** Version of hearth.yaml. */
export const configVersion = 1;

const port = z.number().int().min(0, 'a port is 0 (any free one) to 65535').max(65535, 'a port is 0 to 65535');
const path = z
  .string()
  .min(1, 'an empty path')
  .max(4096, 'a path of at most 4096 characters')
  .refine(text => !text.includes('\0'), 'a path has no NUL character');

const nodeRule = 'a node id is 1 to 20 of a-z, 0-9 and "-", and not "all"';

/** `mqtt://host:port`, with credentials where the broker wants them. */
const brokerUrl = z
  .string()
  .max(1024)
  .refine(isBrokerUrl, 'not the address of an MQTT broker: write it as mqtt://HOST:PORT or mqtts://HOST:PORT')
  .refine(hasReadableCredentials, 'user name or password cannot be read: in a URL a "%" is written as %25');

function isBrokerUrl(text: string): boolean {
  try {
    const url = new URL(text);
    return ['mqtt:', 'mqtts:', 'ws:', 'wss:'].includes(url.protocol) && url.hostname !== '';
  } catch {
    return false;
  }
}

function hasReadableCredentials(text: string): boolean {
  try {
    const { username, password } = new URL(text);
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

export interface Setting {
  /** Flag without `--`, and key in hearth.yaml. */
  readonly name: string;
  readonly kind: 'string' | 'number' | 'boolean';
  /** What stands for the value in help texts; absent for a switch. */
  readonly placeholder?: string;
  readonly schema: z.ZodType<string | number | boolean>;
  readonly text: string;
  /** What is used when nobody says anything, for people. */
  readonly fallback: string;
  /** False: only a flag or the environment can say it. */
  readonly inFile: boolean;
}

/** The environment's name of a setting: `mqtt-port` is HEARTH_MQTT_PORT. */
export const environmentName = (name: string): string => `HEARTH_${name.toUpperCase().replaceAll('-', '_')}`;

const setting = (
  name: string,
  kind: Setting['kind'],
  placeholder: string | undefined,
  schema: z.ZodType<string | number | boolean>,
  fallback: string,
  text: string,
  inFile = true,
): Setting => ({ name, kind, schema, text, fallback, inFile, ...(placeholder === undefined ? {} : { placeholder }) });

export const settings = {
  data: setting(
    'data',
    'string',
    'FOLDER',
    path,
    '$XDG_DATA_HOME/hearth, else ~/.local/share/hearth; as root /var/lib/hearth',
    'where the cluster keeps its journal, keys, agent, logs and cache',
    false,
  ),
  config: setting('config', 'string', 'FILE', path, 'hearth.yaml in the data folder, if there', 'settings file', false),
  node: setting(
    'node',
    'string',
    'ID',
    z
      .string()
      .regex(/^[a-z0-9-]{1,20}$/, nodeRule)
      .refine(isId, nodeRule),
    'the host name, made unique once and then kept',
    'id of the local node',
  ),
  mqttPort: setting('mqtt-port', 'number', 'PORT', port, '1883', 'port of MQTT 3.1.1 and 5 on loopback; 0: a free one'),
  httpPort: setting('http-port', 'number', 'PORT', port, '22581', 'port of the dashboard on loopback; 0: a free one'),
  lan: setting(
    'lan',
    'boolean',
    undefined,
    z.boolean(),
    'off',
    'open the cluster to the network: MQTT over TLS, dashboard and API over HTTPS, both with a login; without it everything listens on loopback only',
  ),
  tlsPort: setting('tls-port', 'number', 'PORT', port, '8883', 'port of MQTT over TLS, with --lan; 0: a free one'),
  base: setting(
    'base',
    'string',
    'NAME',
    z.string().regex(/^[a-z0-9-]{1,9}$/, 'a topic base is 1 to 9 of a-z, 0-9 and "-"'),
    'hearth',
    'first level of every topic',
  ),
  broker: setting(
    'broker',
    'string',
    'URL',
    brokerUrl,
    'the embedded broker',
    'use this MQTT broker instead of the embedded one, such as mqtt://127.0.0.1:1884',
  ),
  mirror: setting(
    'mirror',
    'boolean',
    undefined,
    z.boolean(),
    'off',
    'mirror packages of Debian, Ubuntu, Raspberry Pi OS, Alpine, npm, PyPI and GitHub releases for the nodes, at /mirror/NAME of the HTTP port',
  ),
  mirrorAlso: setting(
    'mirror-also',
    'string',
    'NAME=URL',
    z
      .string()
      .max(4096)
      .regex(
        /^\s*(?:[a-z0-9-]{1,32}=(?:(?:apt|apk|npm|files)\+)?https?:\/\/\S+\s*)*$/,
        'not what to mirror: write NAME=URL, or NAME=KIND+URL with the kind apt, apk, npm or files',
      ),
    'none',
    'what else to mirror, or from elsewhere, several with spaces between, such as docker=apt+https://download.docker.com/linux/debian',
  ),
  inline: setting(
    'inline',
    'string',
    'NAMES',
    z
      .string()
      .max(4096)
      .regex(/^\s*(?:[A-Za-z0-9._-]{1,64}(?:\s*,\s*[A-Za-z0-9._-]{1,64})*)?\s*$/, 'not names: write anna,ben'),
    'nobody',
    'users who may send jobs with inline code, comma-separated; "owner" is who runs the supervisor. Nodes must allow it, too: "inline" of their "jobs"',
  ),
  shares: setting(
    'shares',
    'string',
    'NAME=N',
    z
      .string()
      .max(4096)
      .regex(
        /^\s*(?:[A-Za-z0-9._@:~-]{1,64}=\d{1,4}(?:\.\d{1,3})?(?:\s*,\s*[A-Za-z0-9._@:~-]{1,64}=\d{1,4}(?:\.\d{1,3})?)*)?\s*$/,
        'not weights: write anna=2,ben=0.5',
      )
      .refine(text => [...text.matchAll(/=([\d.]+)/g)].every(match => Number(match[1]) > 0), 'a weight is above 0'),
    '1 for everybody',
    'how much of the nodes each sender of jobs gets where several want them, comma-separated, such as anna=2,ben=1',
  ),
  maxW: setting(
    'max-w',
    'number',
    'W',
    z.number().int().min(0).max(1_000_000),
    'no bound',
    'watts that all rooms together may draw: what the fuse bears',
  ),
  uplink: setting(
    'uplink',
    'string',
    'URL',
    brokerUrl,
    'none',
    "your own MQTT broker, such as mqtt://USER:PASSWORD@homeassistant.local: rooms, status and Home Assistant's discovery are mirrored there, and commands for rooms come from there",
  ),
  discovery: setting(
    'discovery',
    'string',
    'PREFIX',
    z.string().regex(/^([A-Za-z0-9_-]{1,32}|off)$/, 'a topic level, or off'),
    'homeassistant',
    "topic prefix of Home Assistant's MQTT discovery; off: nothing is announced",
  ),
  noAgent: setting(
    'no-agent',
    'boolean',
    undefined,
    z.boolean(),
    'off',
    'no node on this machine, only the supervisor',
  ),
  readyFile: setting(
    'ready-file',
    'string',
    'FILE',
    path,
    'none',
    'written once everything listens and the local node is online: {"pid","mqtt","http","node"}, "tls" with --lan, "outside":true with --broker',
  ),
  stopServices: setting(
    'stop-services',
    'boolean',
    undefined,
    z.boolean(),
    'off',
    'stop the services of the local node at the end, too; without it they run on and are adopted at the next start',
  ),
  period: setting(
    'period',
    'number',
    'MS',
    z.number().int().min(500, 'at least 500 ms').max(3_600_000, 'at most an hour (3600000 ms)'),
    '5000',
    'milliseconds between the load messages of the local node',
  ),
} as const satisfies Record<string, Setting>;

export type SettingKey = keyof typeof settings;

const inFile = Object.values(settings).filter(one => one.inFile);

/** hearth.yaml. Keys are the flags' names; unknown ones are errors. */
export const configFile = z.strictObject({
  version: z.literal(configVersion).describe('version of this file'),
  ...Object.fromEntries(
    inFile.map(one => [one.name, one.schema.optional().describe(`${one.text}. Default: ${one.fallback}`)]),
  ),
});
export type ConfigFile = { readonly version: 1 } & Readonly<Record<string, string | number | boolean | undefined>>;
