/** How the process of a worker is started. */
import { networkInterfaces } from 'node:os';
import { baseMb } from './memory-watch.ts';
import { workerProgram } from './serving.ts';

export interface Launch {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** What its objects may take. */
  readonly memMb: number;
  /** Of the whole process; absent: not looked after. */
  readonly mostMb?: number;
  /** Its process is gone. */
  release(): void;
}

export const defaultMemMb = 512;
/** nobody. */
const nobody = 65534;

/** A `.js` file is an ES module where it reads as one; the default from 20.19 and 22.7. */
const esModules = ['--experimental-detect-module'].filter(flag => process.allowedNodeEnvironmentFlags.has(flag));

const texts = new Map<boolean, string>();
function text(confined: boolean): string {
  const known = texts.get(confined) ?? workerProgram(confined);
  texts.set(confined, known);
  return known;
}

/** For modules that somebody installed on this machine, or let the cluster install. */
export function freeLaunch(
  memMb: number | undefined,
  env: Readonly<Record<string, string>>,
  cwd: string,
  release: () => void,
): Launch {
  const heap = memMb ?? defaultMemMb;
  return {
    argv: [process.execPath, ...esModules, `--max-old-space-size=${heap}`, '--eval', text(false)],
    env,
    cwd,
    memMb: heap,
    ...(memMb === undefined ? {} : { mostMb: memMb + baseMb }),
    release,
  };
}

/** The permission model's flag: it lost its "experimental" in 22.13 and 23.5. */
export function permissionFlag(known: ReadonlySet<string> = process.allowedNodeEnvironmentFlags): string {
  return known.has('--permission') ? '--permission' : '--experimental-permission';
}

/**
 * For inline code. `wall` stands before node and takes the network from it; the shell before takes files of its own,
 * memory beyond all it can need, and core dumps. Nothing of the environment is passed on.
 */
export function confinedLaunch(memMb: number | undefined, wall: readonly string[]): Launch {
  const heap = memMb ?? defaultMemMb;
  const mostMb = heap + baseMb;
  const limits = `ulimit -c 0; ulimit -f 0; ulimit -d ${(2 * mostMb + 1024) * 1024}; exec "$@"`;
  const node = [
    process.execPath,
    permissionFlag(),
    '--no-warnings',
    '--experimental-vm-modules',
    '--disallow-code-generation-from-strings',
    '--disable-proto=delete',
    `--max-old-space-size=${heap}`,
    '--eval',
    text(true),
  ];
  return {
    argv: ['/bin/sh', '-c', limits, 'sh', ...wall, ...node],
    env: {},
    cwd: '/',
    memMb: heap,
    mostMb,
    release() {},
  };
}

/** What of a setup confines: an account without rights, where this one can become another. */
export function confinement(net: boolean): { readonly net: boolean; readonly uid?: number; readonly own?: string[] } {
  const own = Object.values(networkInterfaces()).flatMap(each => each?.map(({ address }) => address) ?? []);
  return { net, ...(process.geteuid?.() === 0 ? { uid: nobody } : {}), ...(net ? { own } : {}) };
}
