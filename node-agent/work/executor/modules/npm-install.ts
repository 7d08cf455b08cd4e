/** A package with all it depends on, as the job's lock says it to the byte, installed by npm. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { mostLock, type PinnedPackage, wrongLock } from '../../../../shared/jobs/npm-lock.ts';
import { printable } from '../../../../shared/names.ts';
import type { RunnerParts } from '../runner.ts';
import { writeEntry } from './brought.ts';
import type { Make, ShelfError } from './shelf.ts';

export interface Pinned extends PinnedPackage {
  /** `artifact:SHA256` of its package-lock.json. */
  readonly lock: string;
  readonly scripts: boolean;
}

const installMs = 10 * 60_000;
const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--no-progress', '--loglevel=error'];

/** @returns npm's way of making the module. */
export const fromNpm =
  (parts: Pick<RunnerParts, 'files' | 'environment' | 'marks' | 'folder'>, pinned: Pinned): Make =>
  (folder, done) => {
    parts.files.fetch({ url: pinned.lock, sha256: pinned.lock.slice('artifact:'.length) }, (error, copy) => {
      if (!copy) return done(setup(`its lock cannot be fetched: ${error ?? 'nobody says why'}`));
      let text: string;
      try {
        const bytes = readFileSync(copy.file);
        if (bytes.length > mostLock) return done(setup('its lock is too large'));
        text = bytes.toString();
      } catch (thrown) {
        return done(setup((thrown as Error).message));
      } finally {
        copy.release();
      }
      const wrong = wrongLock(text, pinned);
      if (wrong !== undefined) return done(setup(wrong));
      try {
        const { name, version } = pinned;
        writeFileSync(
          join(folder, 'package.json'),
          JSON.stringify({ private: true, dependencies: { [name]: version } }),
        );
        writeFileSync(join(folder, 'package-lock.json'), text);
      } catch (thrown) {
        return done(setup((thrown as Error).message));
      }
      install(folder, parts, pinned, done);
    });

    const setup = (sentence: string): ShelfError => ({
      why: 'setup',
      err: `${pinned.name}@${pinned.version} cannot be installed: ${sentence}`,
    });

    function install(
      at: string,
      { environment, marks }: Pick<RunnerParts, 'environment' | 'marks'>,
      { name, scripts }: Pinned,
      over: (error?: ShelfError) => void,
    ): void {
      const mark = marks.take();
      const PATH = [environment.PATH, dirname(process.execPath)].filter(Boolean).join(delimiter);
      const cache = join(at, '.npm');
      const args = ['ci', '--omit=dev', ...(scripts ? [] : ['--ignore-scripts']), `--cache=${cache}`, ...quiet];
      let child: ChildProcess;
      let said = '';
      let isOver = false;
      const end = (sentence: string | undefined): void => {
        if (isOver) return;
        isOver = true;
        clearTimeout(limit);
        marks.end(mark, child.pid ?? 0, 0, () => {
          if (sentence !== undefined) return over(setup(sentence));
          try {
            rmSync(cache, { recursive: true, force: true });
            if (!existsSync(join(at, 'node_modules', name, 'package.json'))) return over(setup('npm left nothing'));
            writeEntry(at, name);
            over();
          } catch (thrown) {
            over(setup((thrown as Error).message));
          }
        });
      };
      const limit = setTimeout(() => end(`npm took more than ${installMs / 60_000} minutes`), installMs);
      child = spawn('npm', args, {
        cwd: at,
        env: { ...environment, PATH, HEARTH_UNIT: mark },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on('data', (chunk: Buffer) => {
          said = `${said}${chunk.toString()}`.slice(-16_384);
        });
      }
      child.on('error', error => {
        const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
        end(missing ? 'there is no npm on this node: install it, or send the package as an artifact' : error.message);
      });
      child.on('close', code => end(code === 0 ? undefined : complaint(said, code)));
    }
  };

const noise = /^(code|errno|syscall|path|A complete log|\s*at )/;

function complaint(said: string, code: number | null): string {
  const lines = said.split('\n').flatMap(line => /^npm (?:error|ERR!) ?(.*)$/.exec(line)?.[1] ?? []);
  const kept = lines.filter(line => line.trim() !== '' && !noise.test(line)).slice(0, 2);
  return printable(kept.join(' ') || `npm ended with ${code}`, 300);
}
