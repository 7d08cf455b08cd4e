/** Files that a task is to leave: looked at, and put into the artifact store one after the other. */
import { lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import type { Files } from '../runner.ts';

export type Outputs = Readonly<Record<string, string>>;

/** Paths by name, and the folders that they lie in. @throws Error with one sentence. */
export function outputPaths(folder: string, outputs: Outputs): Record<string, string> {
  const paths: Record<string, string> = {};
  for (const [name, path] of Object.entries(outputs)) {
    if (path.startsWith('/') || path.split('/').includes('..') || path.includes('\0')) {
      throw new Error(`the output "${name}" is no path inside the task's folder`);
    }
    paths[name] = join(folder, path);
    if (path.includes('/')) mkdirSync(dirname(paths[name]), { recursive: true });
  }
  return paths;
}

/** `done` once, with the hashes by name, or one sentence; `missing` where the task did not leave one. @returns cancels. */
export function keepOutputs(
  files: Files,
  folder: string,
  paths: Readonly<Record<string, string>>,
  done: (problem: { error: string; missing: boolean } | undefined, hashes: Record<string, string>) => void,
): () => void {
  const left = Object.entries(paths);
  const hashes: Record<string, string> = {};
  let cancel = () => {};
  const next = () => {
    const [name, path] = left.shift() ?? [];
    if (name === undefined || path === undefined) {
      done(undefined, hashes);
      return;
    }
    const problem = problemOf(folder, path);
    if (problem !== undefined) {
      done({ error: `the output "${name}": ${problem}`, missing: true }, hashes);
      return;
    }
    cancel = files.upload(path, (error, sha256) => {
      if (error !== undefined || sha256 === undefined) {
        done({ error: `the output "${name}" cannot be kept: ${error}`, missing: false }, hashes);
        return;
      }
      hashes[name] = sha256;
      next();
    });
  };
  next();
  return () => cancel();
}

/** A link could show what is not the task's, such as the agent's key. */
function problemOf(folder: string, path: string): string | undefined {
  try {
    const found = lstatSync(path);
    if (!found.isFile()) return 'it is no regular file';
    const inside = realpathSync(path).startsWith(join(realpathSync(folder), sep));
    return inside ? undefined : "it is outside of the task's folder";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'the task left no such file' : (error as Error).message;
  }
}
