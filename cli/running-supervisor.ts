/** Where the supervisor of a data folder on this machine listens, as its run.json says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultDataFolder, surroundings } from '../broker/config.ts';
import { settings } from '../shared/schemas/config.ts';
import { flagOrEnvironment } from '../shared/settings.ts';
import { UserError } from '../shared/user-error.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface LocalPorts {
  readonly http: number | undefined;
  /** Of its own broker; undefined where it runs on an outside one. */
  readonly mqtt: number | undefined;
}

/** Another program may have written the file. */
export const isPort = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536;
const port = (value: unknown): number | undefined => (isPort(value) ? value : undefined);

/**
 * Without ports where no supervisor runs, or where another user's does.
 * @param flag of `--data`
 * @throws UserError where that names a folder on which no supervisor runs
 */
export function localPorts(flag: string | undefined, env: Environment): LocalPorts {
  const data = flagOrEnvironment(settings.data, flag, env);
  const folder = String(data ?? defaultDataFolder(surroundings()));
  try {
    const run = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as Record<string, unknown>;
    return { http: port(run.http), mqtt: run.outside === true ? undefined : port(run.mqtt) };
  } catch (error) {
    if (flag !== undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new UserError(
        `No supervisor runs on the data folder ${folder}: start it with "hearth up --data ${folder}".`,
      );
    }
    return { http: undefined, mqtt: undefined };
  }
}

/** The broker that was named, that of this machine's supervisor, or the usual one here. */
export function brokerUrl(flags: { readonly broker?: string; readonly data?: string }, env: Environment): string {
  const named = flagOrEnvironment(settings.broker, flags.broker, env);
  return String(named ?? `mqtt://127.0.0.1:${localPorts(flags.data, env).mqtt ?? 1883}`);
}
