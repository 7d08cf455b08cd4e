/** Whether this machine can give a process a network of its own, with nothing on it: what keeps inline code from the real one. */
import { execFile } from 'node:child_process';

/**
 * As root a network namespace; else one in a user namespace, where the kernel lets everybody make them. There is no
 * mapping of users in it, so that nobody becomes root of it.
 */
const walls: readonly (readonly string[])[] =
  process.geteuid?.() === 0 ? [['unshare', '--net', '--']] : [['unshare', '--user', '--net', '--']];
/** Interfaces of the namespace but loopback, which is down: none. */
const look = 'n=0; while read -r l; do n=$((n+1)); done </proc/net/dev; [ "$n" -le 3 ]';

/** `done` later: what stands before a command that is to have no network; undefined where that cannot be had. */
export function findWall(done: (wall: readonly string[] | undefined) => void): void {
  const [wall, ...others] = walls;
  const next = (argv: readonly string[] | undefined, rest: readonly (readonly string[])[]): void => {
    const [program, ...args] = argv ?? [];
    if (program === undefined) return done(undefined);
    execFile(program, [...args, '/bin/sh', '-c', look], { timeout: 10_000, env: { PATH: process.env.PATH } }, error =>
      error ? next(rest[0], rest.slice(1)) : done(argv),
    );
  };
  next(wall, others);
}
