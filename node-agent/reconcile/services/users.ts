/**
 * Running a service as another user. The shim stays the agent's, as it writes what the service must not touch; what
 * becomes the service gives up the agent's rights just before: all three of its user and group ids, with the groups of
 * the user and no capability left over, so that there is no way back (setpriv(1); where there is none, busybox's start-stop-daemon).
 */
import { readFileSync, statSync } from 'node:fs';
import { printable } from '../../../shared/names.ts';
import type { Unit } from '../host.ts';
import { environmentOf, inheritedEnvironment } from './environment.ts';
import type { Launch } from './launch.ts';
import { ask, findProgram } from './programs.ts';
import type { Opened } from './secrets.ts';

/** A line of passwd(5). */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** How a process becomes somebody else. */
export interface Switcher {
  readonly kind: 'setpriv' | 'busybox';
  readonly path: string;
}

export interface UsersParts {
  /** The agent's user id. */
  readonly uid: number | undefined;
  /** Folders with programs, as in PATH. */
  readonly path: string;
}

const askMs = 5000;
/** Of the agent's environment, a login keeps where and in which language it is. */
const kept = /^(PATH|LANG|LC_[A-Z]+|TZ)$/;
const number = /^\d{1,10}$/;

/** By name, else by number. */
export function accountOf(passwd: string, user: string): Account | undefined {
  const lines = passwd.split('\n').map(line => line.split(':'));
  const line = lines.find(([name]) => name === user) ?? lines.find(([, , uid]) => number.test(user) && uid === user);
  const [name, , uid = '', gid = '', , home = '', shell = ''] = line ?? [];
  if (!name || !number.test(uid) || !number.test(gid)) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), home: home || '/', shell: shell || '/bin/sh' };
}

/** A group's number in group(5). */
export function groupOf(text: string, group: string): number | undefined {
  const lines = text.split('\n').map(line => line.split(':'));
  const [, , gid = ''] = lines.find(([name]) => name === group) ?? lines.find(line => line[2] === group) ?? [];
  return number.test(gid) ? Number(gid) : undefined;
}

/** Before a variable's name as long as a process with the agent's rights has it. */
const carried = 'HEARTH_ENV_';

/**
 * The environment of the service, for those who make it another user's: LD_LIBRARY_PATH and the like would have them
 * load what that user has written.
 */
export const carry = (own: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(own).map(([name, value]) => [`${carried}${name}`, value]));

/** Gives variables their names back, with the rights of the service. @param names as the schema has them: no quoting. */
export function carriedCommand(names: readonly string[], command: readonly string[]): readonly string[] {
  if (names.length === 0) return command;
  const lines = names.map(name => `export ${name}="$${carried}${name}"; unset ${carried}${name}`);
  return ['/bin/sh', '-c', [...lines, 'exec "$@"'].join('\n'), 'sh', ...command];
}

/** @param gid undefined: the user's own. */
export function commandAs(
  { kind, path }: Switcher,
  { name, uid, gid: own }: Account,
  gid: number | undefined,
  command: readonly string[],
): readonly string[] {
  if (kind === 'busybox') {
    const user = gid === undefined ? name : `${name}:${gid}`;
    // It starts nothing where a process of the same kind is; with a file that names none it never finds one.
    const start = ['start-stop-daemon', '-S', '-p', '/proc/none', '-x', '/bin/sh', '-c', user];
    return [path, ...start, '--', '-c', 'exec "$0" "$@"', ...command];
  }
  return [path, `--reuid=${uid}`, `--regid=${gid ?? own}`, '--init-groups', '--inh-caps=-all', '--', ...command];
}

export class Users {
  readonly #parts: UsersParts;
  #switcher: Promise<Switcher | undefined> | undefined;

  constructor(parts: UsersParts) {
    this.#parts = parts;
  }

  /** @throws with one sentence. */
  async launch(unit: Unit, opened: Opened, command: readonly string[]): Promise<Launch> {
    const { uid, path } = this.#parts;
    const [user = '', group] = (unit.spec.user ?? '').split(':');
    const account = await this.#find(user);
    const own = account.uid === uid && group === undefined;
    if (uid !== 0 && !own) throw new Error(`to run as ${printable(user)} needs root: the agent runs as another user`);
    const { name, shell } = account;
    const login = { HOME: account.home, USER: name, LOGNAME: name, SHELL: shell };
    const inherited = Object.entries(inheritedEnvironment()).filter(([key]) => kept.test(key));
    const around = { ...Object.fromEntries(inherited), ...login };
    const cwd = unit.spec.cwd ?? (isFolder(account.home) ? account.home : '/');
    if (own) return { cwd, command, environment: environmentOf(unit, around, opened) };
    const gid = group === undefined ? undefined : await this.#group(group);
    this.#switcher ??= findSwitcher(path);
    const switcher = await this.#switcher;
    if (!switcher) {
      this.#switcher = undefined;
      throw new Error(`to run as ${printable(user)} needs the program setpriv, of the package util-linux or setpriv`);
    }
    const owner = { uid: account.uid, gid: gid ?? account.gid };
    const { HEARTH_UNIT: _unit, HEARTH_SERVICE: _service, ...said } = environmentOf(unit, {}, opened);
    return {
      cwd,
      owner,
      command: commandAs(switcher, account, gid, carriedCommand(Object.keys(said), command)),
      environment: { ...around, ...carry(said), HEARTH_UNIT: unit.unit, HEARTH_SERVICE: unit.service },
    };
  }

  async #find(user: string): Promise<Account> {
    const account = accountOf(read('/etc/passwd'), user) ?? accountOf(await this.#getent('passwd', user), user);
    if (!account) throw new Error(`there is no user "${printable(user)}" on this machine`);
    return account;
  }

  async #group(group: string): Promise<number> {
    const gid = groupOf(read('/etc/group'), group) ?? groupOf(await this.#getent('group', group), group);
    if (gid === undefined) throw new Error(`there is no group "${printable(group)}" on this machine`);
    return gid;
  }

  /** Who is not in the files may be in a directory service. */
  async #getent(database: string, key: string): Promise<string> {
    const program = findProgram('getent', this.#parts.path);
    return program === undefined ? '' : (await ask(program, [database, key], askMs)).out;
  }
}

/** busybox has a setpriv that cannot do it, and its su is often left out. */
async function findSwitcher(path: string): Promise<Switcher | undefined> {
  const setpriv = findProgram('setpriv', path);
  if (setpriv !== undefined && (await ask(setpriv, ['--help'], askMs)).out.includes('--init-groups')) {
    return { kind: 'setpriv', path: setpriv };
  }
  const busybox = findProgram('busybox', path);
  const list = busybox === undefined ? '' : (await ask(busybox, ['--list'], askMs)).out;
  return busybox !== undefined && list.split('\n').includes('start-stop-daemon')
    ? { kind: 'busybox', path: busybox }
    : undefined;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
