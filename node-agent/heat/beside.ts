/** Starts the programs beside the agent: out of its session, clean, last in line for the processor and first for the OOM killer. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, writeFile } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { inherited, systemShell } from '../reconcile/services/launch.ts';
import { readProcess } from '../reconcile/services/processes.ts';
import { replaceFile } from '../replace-file.ts';

export interface Beside {
  readonly pid: number;
  /** `-` where the machine does not tell. */
  readonly start: number | '-';
}

export interface BesideParts {
  /** Where it runs, and where its script is kept. */
  readonly folder: string;
  /** Default: the system's. */
  readonly shell?: string | undefined;
}

/** That very process still runs. */
export function lives({ pid, start }: Beside): boolean {
  if (start !== '-') return readProcess(pid)?.start === start;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export function kill(one: Beside): void {
  if (!lives(one)) return;
  try {
    process.kill(one.pid, 'SIGKILL');
  } catch {
    // It has ended just now.
  }
}

/**
 * A script with arguments, in a session of its own. @param nice added to nothing: 19 is last.
 * @param ended told once, also where it could not be started. Undefined then. Throws where the script cannot be written.
 */
export function startBeside(
  { folder, shell = systemShell }: BesideParts,
  {
    name,
    text,
    args,
    nice,
  }: { readonly name: string; readonly text: string; readonly args: readonly string[]; readonly nice: number },
  ended: (how: string) => void,
): Beside | undefined {
  // A shell reads its script while it runs it: another text is another file.
  const script = `${name}-${createHash('sha256').update(text).digest('hex').slice(0, 8)}.sh`;
  if (!existsSync(join(folder, script))) replaceFile(folder, script, text, false);
  const { PATH = '' } = inherited;
  const child = spawn(shell, [join(folder, script), ...args], {
    cwd: folder,
    env: { PATH },
    detached: true,
    stdio: 'ignore',
  });
  child.once('error', error => ended(error.message));
  child.once('exit', (code, signal) => ended(String(signal ?? code)));
  child.unref();
  const { pid } = child;
  if (pid === undefined) return undefined;
  try {
    setPriority(pid, nice);
    // Where the kernel shares the processor between sessions first (sched(7)), the nice value counts inside of one only.
    writeFile(`/proc/${pid}/autogroup`, String(nice), () => {});
  } catch {
    // It has ended already.
  }
  return { pid, start: readProcess(pid)?.start ?? '-' };
}
