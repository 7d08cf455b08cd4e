/** The {@link PackageMachine} that is this one. */
import { accessSync, constants, type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { managerEnvironment } from './environment.ts';
import type { PackageMachine } from './machine.ts';
import { createRunning } from './running.ts';

export interface RealMachineParts {
  /** The agent's own, for the output of what runs, such as `<data>/items`. */
  readonly folder: string;
  /** Added to what managers are run with. For tests. */
  readonly env?: Readonly<Record<string, string>>;
  /** What stands for `/` where files are looked at. For tests. */
  readonly system?: string;
  readonly root?: boolean;
}

/** File events come in bursts: it is told after this long without one, and at the latest after the longest. */
const quietMs = 500;
const longestMs = 5_000;
/** What cannot be watched is looked at this often. */
const pollMs = 30_000;
const mostWatches = 64;

export function createRealMachine(parts: RealMachineParts): PackageMachine {
  const env = { ...managerEnvironment(process.env), ...parts.env };
  const system = parts.system ?? '/';
  const real = (path: string) => join(system, path);
  const stat = (path: string) => statSync(real(path), { bigint: true, throwIfNoEntry: false });
  const seen = (path: string): string => {
    try {
      const now = stat(path);
      return now ? `${now.dev}:${now.ino}:${now.size}:${now.mtimeNs}:${now.ctimeNs}` : '';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? 'unreadable';
    }
  };
  return {
    root: parts.root ?? process.getuid?.() === 0,
    has(program) {
      return (env.PATH ?? '').split(':').some(folder => {
        try {
          accessSync(join(folder, program), constants.X_OK);
          return isAbsolute(folder);
        } catch {
          return false;
        }
      });
    },
    run: createRunning({ folder: parts.folder, env }),
    stamp: seen,
    age(path) {
      try {
        const now = stat(path);
        return now && Math.max(0, Date.now() - Number(now.mtimeMs));
      } catch {
        return undefined;
      }
    },
    watch: (paths, changed) => watchFiles(paths.map(real), changed),
  };
}

/** Tells soon after one of these may have changed. */
export function watchFiles(paths: readonly string[], changed: () => void, every = pollMs): { close(): void } {
  /** Folder -> names in it that matter; undefined: all. */
  const folders = new Map<string, Set<string> | undefined>();
  for (const path of paths) {
    if (isFolder(path)) folders.set(path, undefined);
    else if (!folders.has(dirname(path)) || folders.get(dirname(path))) {
      folders.set(dirname(path), new Set([...(folders.get(dirname(path)) ?? []), basename(path)]));
    }
  }
  let quiet: NodeJS.Timeout | undefined;
  let first = 0;
  const tell = () => {
    first = 0;
    changed();
  };
  const heard = () => {
    first ||= Date.now();
    clearTimeout(quiet);
    quiet = setTimeout(tell, Math.max(0, Math.min(quietMs, first + longestMs - Date.now())));
  };
  const watchers: FSWatcher[] = [];
  let poll: NodeJS.Timeout | undefined;
  const startPoll = () => {
    poll ??= setInterval(changed, every).unref();
  };
  for (const [folder, names] of folders) {
    try {
      if (watchers.length >= mostWatches) throw new Error('too many');
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === null || names === undefined || names.has(name)) heard();
      });
      watcher.on('error', () => {
        watcher.close();
        startPoll();
      });
      watchers.push(watcher);
    } catch {
      startPoll();
    }
  }
  return {
    close() {
      clearTimeout(quiet);
      clearInterval(poll);
      for (const watcher of watchers) watcher.close();
    },
  };
}

const isFolder = (path: string): boolean => {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
};
