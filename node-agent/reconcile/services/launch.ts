/** What a unit's shim is to run, with what environment, where and as whom: a plain service, another user's, or a container's client. */
import { existsSync } from 'node:fs';
import { homedir, platform } from 'node:os';
import type { Service } from '../../../shared/schemas/service.ts';
import type { Unit } from '../host.ts';
import { Containers } from './containers.ts';
import { environmentOf, inheritedEnvironment } from './environment.ts';
import type { Opened } from './secrets.ts';
import { simpleCommand } from './simple-command.ts';
import type { UnitFolder } from './unit-folder.ts';
import { Users } from './users.ts';

/** Android keeps its shell elsewhere, and Termux its own one in PREFIX. */
export const systemShell = platform() === 'android' ? `${process.env.PREFIX ?? '/system'}/bin/sh` : '/bin/sh';

export const inherited = inheritedEnvironment();

/** Where a service runs that names no folder: `./solve` is then what its user thinks it is. */
export const home = existsSync(homedir()) ? homedir() : '/';

export interface Launch {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Who may open the output anew (as /dev/stdout), where that is not the agent's user. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Text of the environment file in the unit's folder, which the command names. */
  readonly file?: string;
}

/** What becomes the service. No shell stays where a program can take its place: it would only hide how that ended. */
export const commandOf = ({ run }: Service, shell: string): readonly string[] =>
  typeof run === 'string' ? [shell, '-c', simpleCommand(run) ?? run] : (run ?? []);

export interface LaunchParts {
  readonly users: Users;
  readonly containers: Containers;
}

/** @param around the environment that programs of the system are run with. */
export const launchParts = (folder: UnitFolder, around: Readonly<Record<string, string>>): LaunchParts => ({
  users: new Users({ uid: process.getuid?.(), path: around.PATH ?? '' }),
  containers: new Containers({
    folder: folder.path,
    environment: unit => folder.environment(unit),
    inherited: around,
  }),
});

/** Whether somebody has to be asked before the unit can be started. */
export const needsAsking = ({ user, image }: Service): boolean => user !== undefined || image !== undefined;

export const plainLaunch = (unit: Unit, opened: Opened, shell: string): Launch => ({
  command: commandOf(unit.spec, shell),
  cwd: unit.spec.cwd ?? home,
  environment: environmentOf(unit, inherited, opened),
});

/**
 * A command beside a unit that runs already, such as a look at its health: with the same rights and environment, and
 * inside of its container where it has one. @throws with one sentence.
 */
export async function besideLaunch(unit: Unit, opened: Opened, shell: string, parts: LaunchParts): Promise<Launch> {
  const { image, user } = unit.spec;
  if (image !== undefined) return await parts.containers.beside(unit);
  return user === undefined ? plainLaunch(unit, opened, shell) : await askedLaunch(unit, opened, shell, parts);
}

/** As {@link plainLaunch}, where it {@link needsAsking}. @throws with one sentence why it cannot be started. */
export async function askedLaunch(unit: Unit, opened: Opened, shell: string, parts: LaunchParts): Promise<Launch> {
  if (unit.spec.image !== undefined) return await parts.containers.launch(unit, opened);
  return await parts.users.launch(unit, opened, commandOf(unit.spec, shell));
}
