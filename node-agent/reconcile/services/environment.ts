/** What a service inherits: the agent's environment without what is the agent's own business, and its own words on top. */
import { looksSealed } from '../../../shared/sealed-value.ts';
import type { Unit } from '../host.ts';
import type { Opened } from './secrets.ts';

/** Hearth's own settings (broker password included), npm's, Node's, and systemd's conversation with the agent's unit. */
const notInherited =
  /^(HEARTH_|npm_|NODE_|NODE$|INIT_CWD$|NOTIFY_SOCKET$|WATCHDOG_|LISTEN_(PID|FDS|FDNAMES)$|INVOCATION_ID$|JOURNAL_STREAM$|MAINPID$|OLDPWD$|_$)/;

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The part that every service gets; asking for the environment is slow enough to do it once. */
export function inheritedEnvironment(agent: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const environment: Record<string, string> = { PATH: defaultPath };
  for (const [name, value] of Object.entries(agent)) {
    if (value !== undefined && !notInherited.test(name)) environment[name] = value;
  }
  // A service started by `npm start` must not find the project's tools first.
  const folders = (environment.PATH ?? '').split(':').filter(folder => !folder.includes('/node_modules/'));
  environment.PATH = folders.join(':') || defaultPath;
  return environment;
}

/** Throws where a value is still sealed: a service would take the sealed text for its secret. */
export function environmentOf(unit: Unit, inherited: Record<string, string>, opened: Opened): Record<string, string> {
  const own = { ...unit.spec.env, ...opened };
  for (const [name, value] of Object.entries(unit.spec.env ?? {})) {
    if (looksSealed(value) && !Object.hasOwn(opened, name)) throw new Error(`the secret env.${name} was not opened`);
  }
  return { ...inherited, ...own, HEARTH_UNIT: unit.unit, HEARTH_SERVICE: unit.service };
}
