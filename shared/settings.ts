/** One setting as a person wrote it, on the command line or in the environment. */
import { printable } from './names.ts';
import { environmentName, type Setting } from './schemas/config.ts';
import { UserError } from './user-error.ts';

/** Text from a flag or the environment to the setting's value. @param origin `--mqtt-port` or `HEARTH_MQTT_PORT`. */
export function readSetting(setting: Setting, given: string | boolean, origin: string): string | number | boolean {
  const value = setting.kind === 'string' ? given : setting.kind === 'number' ? toNumber(given) : toBoolean(given);
  const parsed = setting.schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const wanted = { string: 'text', number: 'a whole number', boolean: 'on or off' }[setting.kind];
  const issue = parsed.error.issues[0];
  const why =
    value === undefined || issue?.code === 'invalid_type' ? `${wanted} is needed` : (issue?.message ?? wanted);
  throw new UserError(`${origin}: "${printable(String(given))}" does not do: ${why}.`, 2);
}

const toNumber = (text: string | boolean): number | undefined =>
  typeof text === 'string' && /^-?\d{1,15}$/.test(text.trim()) ? Number(text) : undefined;

function toBoolean(text: string | boolean): boolean | undefined {
  if (typeof text === 'boolean') return text;
  if (/^(1|true|on|yes)$/i.test(text)) return true;
  return /^(0|false|off|no)$/i.test(text) ? false : undefined;
}

/** A setting that only a flag or the environment can say here: a command without a data folder. */
export function flagOrEnvironment(
  setting: Setting,
  flag: string | boolean | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string | number | boolean | undefined {
  if (flag !== undefined) return readSetting(setting, flag, `--${setting.name}`);
  const name = environmentName(setting.name);
  const text = env[name];
  return text === undefined || text === '' ? undefined : readSetting(setting, text, name);
}
