/** npm writes the lock of one package, and installs nothing. */
import { execFile } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { printable } from '../../shared/names.ts';

const lockMs = 60_000;
const flags = [
  '--package-lock-only',
  '--ignore-scripts',
  '--omit=dev',
  '--no-audit',
  '--no-fund',
  '--no-progress',
  '--loglevel=error',
  // Each node asks the registry or mirror that it is set up with.
  '--omit-lockfile-registry-resolved',
  // Where there is no way to the registry, that is known soon.
  '--fetch-retries=1',
  '--fetch-retry-mintimeout=1000',
  '--fetch-timeout=20000',
  // What comes out of a repository has no hash: it is refused anyway, and nothing is started for it.
  '--git=/nonexistent/git',
];

/** `done` with one sentence where it did not come to be. @param folder with a package.json, and nothing else. */
export function npmLock(folder: string, wanted: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  // npm belongs to the Node that runs here; under a service manager it may not be on PATH.
  const PATH = [environment.PATH, dirname(process.execPath)].filter(Boolean).join(delimiter);
  const env = { ...environment, PATH, npm_config_update_notifier: 'false' };
  const options = { cwd: folder, env, timeout: lockMs, maxBuffer: 4 * 1024 * 1024 };
  return new Promise(resolve => {
    execFile('npm', ['install', ...flags, '--', wanted], options, (error, _out, said) => {
      resolve(error ? complaint(error, said) : undefined);
    });
  });
}

const noise = /^(code|errno|syscall|path|A complete log|\s*at |\d+ *$)/;

function complaint(error: Error, said: string): string {
  const { code, killed } = error as { code?: unknown; killed?: boolean };
  if (code === 'ENOENT')
    return 'there is no npm beside the supervisor that could look up packages: send it as an artifact';
  if (killed) return `npm took more than ${lockMs / 1000} s to look it up`;
  if (/code E404/.test(said)) return 'the npm registry knows no such package';
  if (/code ETARGET/.test(said)) return 'the npm registry has no such version of it';
  const lines = said.split('\n').flatMap(line => /^npm (?:error|ERR!) ?(.*)$/.exec(line)?.[1] ?? []);
  const kept = lines.filter(line => line.trim() !== '' && !noise.test(line)).slice(0, 2);
  return `npm cannot look it up: ${printable(kept.join(' ') || `it ended with ${String(code)}`, 300)}`;
}
