/** What `hearth up` runs with: flags over environment over hearth.yaml over defaults. */
import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { type ConfigFile, type SettingKey, settings } from '../shared/schemas/config.ts';
import { flagOrEnvironment } from '../shared/settings.ts';
import { UserError } from '../shared/user-error.ts';
import { readConfigFile } from './config-file.ts';

export interface SupervisorConfig {
  readonly data: string;
  readonly base: string;
  readonly mqttPort: number;
  readonly httpPort: number;
  /** Open to the network: TLS and logins. */
  readonly lan: boolean;
  readonly tlsPort: number;
  /** The local node's id; absent: the agent decides. */
  readonly node?: string;
  /** An outside broker instead of the embedded one. */
  readonly broker?: string;
  /** What is mirrored besides, or instead, as said; undefined: there is no mirror. */
  readonly mirror?: string;
  /** Who may send inline code. */
  readonly inline: readonly string[];
  /** Weights of those who send jobs; who is not named has 1. */
  readonly shares: ReadonlyMap<string, number>;
  /** Watts that all rooms together may draw. */
  readonly maxW?: number;
  /** The user's own MQTT broker. */
  readonly uplink?: string;
  /** Prefix of Home Assistant's discovery, or `off`. */
  readonly discovery: string;
  readonly agent: boolean;
  readonly readyFile?: string;
  readonly stopServices: boolean;
  readonly periodMs: number;
}

/** As the command line parser gives them: text, or `true` for a switch. */
export type Flags = Partial<Record<SettingKey, string | boolean>>;

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  readonly root: boolean;
}

export const surroundings = (): Surroundings => ({
  env: process.env,
  cwd: process.cwd(),
  home: homedir(),
  root: process.getuid?.() === 0,
});

/** $XDG_DATA_HOME/hearth (XDG Base Directory Specification: relative values are ignored), as root /var/lib/hearth. */
export function defaultDataFolder({ env, home, root }: Surroundings): string {
  if (root) return '/var/lib/hearth';
  const xdg = env.XDG_DATA_HOME;
  return xdg && isAbsolute(xdg) ? join(xdg, 'hearth') : join(home, '.local/share/hearth');
}

/** @throws UserError naming the flag, variable or line that is wrong. */
export function resolveConfig(flags: Flags, around: Surroundings): SupervisorConfig {
  const said = (key: SettingKey) => flagOrEnvironment(settings[key], flags[key], around.env);
  const data = resolve(around.cwd, String(said('data') ?? defaultDataFolder(around)));
  const file = fileSettings(said('config'), data, around.cwd);
  const pick = (key: SettingKey) => said(key) ?? file?.[settings[key].name];
  const path = (key: SettingKey): string | undefined => {
    const own = said(key);
    if (own !== undefined) return resolve(around.cwd, String(own));
    const inFile = file?.[settings[key].name];
    return inFile === undefined ? undefined : resolve(data, String(inFile));
  };
  const node = pick('node');
  const broker = pick('broker');
  const maxW = pick('maxW');
  const uplink = pick('uplink');
  const readyFile = path('readyFile');
  const agent = pick('noAgent') !== true;
  if (agent && /^wss?:/i.test(String(broker ?? ''))) {
    throw new UserError('--broker: nodes speak mqtt:// and mqtts:// only: use one of these, or add --no-agent.', 2);
  }
  return {
    data,
    base: String(pick('base') ?? 'hearth'),
    mqttPort: Number(pick('mqttPort') ?? 1883),
    httpPort: Number(pick('httpPort') ?? 22581),
    lan: pick('lan') === true,
    tlsPort: Number(pick('tlsPort') ?? 8883),
    agent,
    inline: listed(pick('inline')),
    shares: new Map(listed(pick('shares')).map(one => [one.split('=')[0] ?? '', Number(one.split('=')[1])])),
    discovery: String(pick('discovery') ?? 'homeassistant'),
    ...(maxW === undefined ? {} : { maxW: Number(maxW) }),
    ...(uplink === undefined ? {} : { uplink: String(uplink) }),
    stopServices: pick('stopServices') === true,
    periodMs: Number(pick('period') ?? 5000),
    ...(pick('mirror') === true ? { mirror: String(pick('mirrorAlso') ?? '') } : {}),
    ...(node === undefined ? {} : { node: String(node) }),
    ...(broker === undefined ? {} : { broker: String(broker) }),
    ...(readyFile === undefined ? {} : { readyFile }),
  };
}

/** What stands between commas. */
const listed = (text: string | number | boolean | undefined): readonly string[] =>
  String(text ?? '')
    .split(',')
    .flatMap(one => one.trim() || []);

function fileSettings(named: string | number | boolean | undefined, data: string, cwd: string): ConfigFile | undefined {
  // What is wrong with the folder itself is said by whoever opens it.
  if (named === undefined) return isOpenTo(data) ? readConfigFile(join(data, 'hearth.yaml')) : undefined;
  const file = readConfigFile(resolve(cwd, String(named)));
  if (!file) throw new UserError(`${named}: there is no such settings file.`);
  return file;
}

function isOpenTo(folder: string): boolean {
  try {
    accessSync(folder, constants.X_OK);
    return statSync(folder).isDirectory();
  } catch {
    return false;
  }
}
