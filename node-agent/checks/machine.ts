/** The machine that checks look at: a seam, so that tests bring files and programs of their own. */
import { homedir, platform } from 'node:os';
import { inheritedEnvironment } from '../reconcile/services/environment.ts';
import { MachineFiles } from '../telemetry/machine-files.ts';

export interface Machine {
  /** /proc, /sys, /etc and /run. */
  readonly files: MachineFiles;
  readonly shell: string;
  /** All that a check's program inherits. No secret of the agent is in it. */
  readonly env: Readonly<Record<string, string>>;
  /** Stands before every command, such as `unshare --mount`. */
  readonly under: readonly string[];
}

/** Android keeps its shell elsewhere, and Termux its own one in PREFIX. */
const shell = platform() === 'android' ? `${process.env.PREFIX ?? '/system'}/bin/sh` : '/bin/sh';

/** @param root `/`, but in tests a folder with a machine's files. */
export function machineAt(root = '/', over: Partial<Omit<Machine, 'files'>> = {}): Machine {
  const inherited = inheritedEnvironment();
  const env: Record<string, string> = { LC_ALL: 'C', HOME: homedir() };
  for (const name of ['PATH', 'PREFIX', 'TZ']) if (inherited[name] !== undefined) env[name] = inherited[name];
  return { files: new MachineFiles(root), shell, env, under: [], ...over };
}
