/** The npm registry, asked through npm itself: whatever mirror, proxy or certificate it is set up with counts here, too. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';
import type { Release } from './runtime-choice.ts';

export interface Registry {
  /** @throws UserError where it cannot be asked. */
  releases(name: string, signal: AbortSignal): Promise<readonly Release[]>;
  /** @returns the package's tarball in `folder`, with the bytes that the registry vouches for. */
  download(name: string, version: string, folder: string, signal: AbortSignal): Promise<string>;
}

const [askMs, downloadMs] = [30_000, 30 * 60_000];
/** Where there is no way to it, that is known soon: by itself npm goes on for more than a minute. */
const impatient = ['--fetch-retries=1', '--fetch-retry-mintimeout=1000', '--fetch-timeout=20000'];

const listing = z.object({ versions: z.array(z.string()), time: z.record(z.string(), z.string()) });
const packed = z.tuple([z.object({ filename: z.string().regex(/^[A-Za-z0-9._-]+\.tgz$/) })]);
const integrity = z.string().regex(/^sha512-[A-Za-z0-9+/]{86}==$/);

/** @param folder any that holds no settings of a project. */
export function npmRegistry(folder: string): Registry {
  const npm = (args: readonly string[], timeout: number, signal: AbortSignal) => run(args, { folder, timeout, signal });
  return {
    async releases(name, signal) {
      const said = await npm(['view', name, 'versions', 'time', ...impatient], askMs, signal);
      const { versions, time } = understood(listing.safeParse(said), name);
      return versions.map(version => ({ version, publishedMs: Date.parse(time[version] ?? '') }));
    },
    async download(name, version, target, signal) {
      const one = `${name}@${version}`;
      const said = understood(
        integrity.safeParse(await npm(['view', one, 'dist.integrity', ...impatient], askMs, signal)),
        one,
      );
      const answer = await npm(['pack', one, '--pack-destination', target], downloadMs, signal);
      const [{ filename }] = understood(packed.safeParse(answer), one);
      const file = join(target, basename(filename));
      const hash = createHash('sha512');
      await pipeline(createReadStream(file), hash);
      if (`sha512-${hash.digest('base64')}` !== said) {
        throw new UserError(
          `${one} from the npm registry is damaged: its hash is not the one that the registry tells.`,
        );
      }
      return file;
    },
  };
}

/** The same registry, asked once about each package: an answer that it did not give is not waited for again. */
export function askedOnce(registry: Registry): Registry {
  const asked = new Map<string, Promise<readonly Release[]>>();
  return {
    releases(name, signal) {
      const answer = asked.get(name) ?? registry.releases(name, signal);
      asked.set(name, answer);
      return answer;
    },
    download: (...args) => registry.download(...args),
  };
}

function understood<T>(result: z.ZodSafeParseResult<T>, name: string): T {
  if (result.success) return result.data;
  throw new UserError(`npm told nothing of use about ${name}: does its registry carry that package?`);
}

interface RunOptions {
  readonly folder: string;
  readonly timeout: number;
  readonly signal: AbortSignal;
}

function run(args: readonly string[], { folder, timeout, signal }: RunOptions): Promise<unknown> {
  // npm belongs to the Node that runs here; under a service manager it may not be on PATH.
  const PATH = [process.env.PATH, dirname(process.execPath)].filter(Boolean).join(delimiter);
  const env = { ...process.env, PATH, npm_config_update_notifier: 'false' };
  const options = { cwd: folder, env, timeout, signal, maxBuffer: 32 * 1024 * 1024 };
  return new Promise((resolve, reject) => {
    execFile('npm', [...args, '--json', '--loglevel=error'], options, (error, stdout) => {
      try {
        if (!error) return resolve(JSON.parse(stdout));
      } catch {}
      reject(new UserError(`Cannot fetch from the npm registry (npm ${args[0]} ${args[1]}): ${why(error, stdout)}.`));
    });
  });
}

/** With --json npm says on standard output what is wrong. */
function why(error: Error | null, stdout: string): string {
  const { code, killed } = (error ?? {}) as { code?: unknown; killed?: boolean };
  if (code === 'ABORT_ERR') return 'the supervisor is stopping';
  if (code === 'ENOENT') return 'there is no npm on this machine';
  if (killed) return 'it took too long';
  try {
    const told = JSON.parse(stdout) as { error?: { code?: unknown; summary?: unknown } };
    return printable(`${told.error?.code ?? ''} ${told.error?.summary ?? ''}`.trim(), 200).replace(/\.$/, '');
  } catch {
    return printable(`it ended with ${String(code ?? 'an unreadable answer')}`, 100);
  }
}
