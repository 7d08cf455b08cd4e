/** Short programs of the system, asked one thing: found, run with bounds, and what they said. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

export interface Said {
  /** 0 for success; undefined where it could not be run, or took too long. */
  readonly code: number | undefined;
  readonly out: string;
  readonly err: string;
}

/** Longest output of one program, bytes. */
const mostOutput = 1024 * 1024;

/** The first of the folders of PATH that has it. */
export function findProgram(name: string, path: string): string | undefined {
  for (const folder of path.split(':')) {
    if (!folder.startsWith('/')) continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {}
  }
  return undefined;
}

/** Never rejects. */
export function ask(
  file: string,
  args: readonly string[],
  ms: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Said> {
  return new Promise(resolve => {
    const options = { timeout: ms, killSignal: 'SIGKILL' as const, maxBuffer: mostOutput, cwd: '/', env: { ...env } };
    const child = execFile(file, [...args], options, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : undefined;
      resolve({ code, out: String(out), err: String(err) || (code === undefined ? String(error?.message) : '') });
    });
    child.stdin?.end();
  });
}
