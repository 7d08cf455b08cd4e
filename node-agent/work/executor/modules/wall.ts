/** Whether this machine can give a process a network of its own, with nothing on it: what keeps inline code from the real one. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Lines of /proc/net/dev: two of heading, and loopback, which is down. */
const look = 'n=0; while read -r line; do n=$((n+1)); done </proc/net/dev; [ "$n" = 3 ]';

/**
 * As root a network namespace; else one in a user namespace, where the kernel lets everybody make them. There is no
 * mapping of users in it, so that nobody becomes root of it.
 * @param done later: what stands before a command that is to have no network; undefined where that cannot be had.
 */
export function findWall(done: (wall: readonly string[] | undefined) => void): void {
  const unshare = onPath('unshare');
  if (unshare === undefined || process.platform !== 'linux') {
    setImmediate(done, undefined);
    return;
  }
  const wall = [unshare, ...(process.geteuid?.() === 0 ? [] : ['--user']), '--net', '--'];
  const [program = '', ...args] = [...wall, '/bin/sh', '-c', look];
  execFile(program, args, { timeout: 10_000, env: {} }, error => done(error ? undefined : wall));
}

/** A program's whole path. */
export function onPath(program: string, path = process.env.PATH ?? '/usr/bin:/bin'): string | undefined {
  for (const folder of path.split(delimiter)) {
    const file = join(folder, program);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {}
  }
  return undefined;
}
