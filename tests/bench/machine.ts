/** One line that says where and with what a table was measured. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../fixture/programs.ts';

const root = join(import.meta.dirname, '../..');

/** CPU model, cores, memory, kernel. */
export function machineLine(): string {
  const gb = (totalmem() / 2 ** 30).toFixed(1);
  return `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${cpus().length} cores, ${gb} GB, Linux ${release()}`;
}

/** What others did on the machine in the last minute; a run beside a busy neighbour should be read with care. */
export const neighbourLoad = (): string => `load average at the start ${loadavg()[0]?.toFixed(2)}`;

/** Version of an installed package of this project. */
export function packageVersion(name: string): string {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version;
}

/** First thing that looks like a version in what `program flag` prints; undefined when it is not installed. */
export function programVersion(program: string, flag = '--version'): string | undefined {
  const path = findProgram(program);
  if (!path) return undefined;
  try {
    return /\d+(\.\d+)+/.exec(
      execFileSync(path, [flag], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    )?.[0];
  } catch (error) {
    // `mosquitto -h` prints its version and exits with 3.
    const { stdout } = error as { stdout?: string };
    return /\d+(\.\d+)+/.exec(stdout ?? '')?.[0];
  }
}

export const today = (): string => new Date().toISOString().slice(0, 10);
