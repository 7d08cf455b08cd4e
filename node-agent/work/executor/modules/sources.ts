/** Plugins, packages and inline code, as what a worker can be started for. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { readPinned } from '../../../../shared/jobs/npm-lock.ts';
import { jobLimits } from '../../../../shared/schemas/job.ts';
import type { Recipe } from '../../../../shared/schemas/work.ts';
import type { RunnerParts, Settings } from '../runner.ts';
import { fromArtifact, moduleUrl, packed, writeEntry } from './brought.ts';
import { confinedLaunch, confinement, freeLaunch } from './launch.ts';
import { fromNpm } from './npm-install.ts';
import { findPlugin, versionOf } from './plugin-folder.ts';
import type { Make, Shelf } from './shelf.ts';
import type { NotReady, Ready, Source } from './source.ts';
import { findWall } from './wall.ts';

export interface SourceParts {
  readonly runner: RunnerParts;
  readonly shelf: Shelf;
  settings(): Settings;
}

const bounds = { mostResult: jobLimits.result, mostCheckpoint: jobLimits.checkpoint } as const;
const short = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 40);
const shaOf = (text: string): string | undefined => /^artifact:([0-9a-f]{64})$/.exec(text)?.[1];
/** A plugin's version is looked at so often at most. */
const lookMs = 500;

/** From the shelf, where it is brought to first. */
function fromShelf(
  { runner, shelf }: SourceParts,
  about: {
    readonly key: string;
    readonly name: string;
    readonly inside: string;
    readonly recipe: Recipe;
    readonly make: Make;
  },
  done: (found: Ready | NotReady) => void,
): void {
  const { key, name, inside, recipe } = about;
  shelf.get(key, about.make, (error, folder) => {
    if (error) return done(error);
    const module = moduleUrl(folder, inside, recipe.main);
    const wrong = recipe.main === undefined ? undefined : wrongMain(folder, recipe.main, module);
    if (wrong !== undefined) return done({ why: 'setup', err: wrong });
    done({
      key: `${key} ${recipe.main ?? ''} ${recipe.mem_mb ?? ''}`,
      setup: { module, name, ...bounds },
      launch() {
        shelf.hold(key);
        return freeLaunch(recipe.mem_mb, runner.environment, runner.folder, () => shelf.release(key));
      },
    });
  });
}

/** A file of the package: a link in it could lead anywhere. */
function wrongMain(folder: string, main: string, url: string): string | undefined {
  const path = fileURLToPath(url);
  if (!existsSync(path)) return `the package has no file "${main}"`;
  if (!realpathSync(path).startsWith(realpathSync(folder) + sep)) return `"${main}" is not in the package`;
  return undefined;
}

export function pluginSource(parts: SourceParts): Source {
  const { runner } = parts;
  const versions = new Map<string, { at: number; version: string }>();
  const versionNow = (name: string): string => {
    const artifact = parts.settings().plugins[name];
    if (artifact !== undefined) return artifact;
    const known = versions.get(name);
    if (known && runner.now() - known.at < lookMs) return known.version;
    const found = findPlugin(runner.data, name);
    const version = found ? `${found.path} ${versionOf(found)}` : '';
    versions.set(name, { at: runner.now(), version });
    return version;
  };
  const keyOf = (recipe: Recipe): string => `${versionNow(recipe.plugin ?? '')} ${recipe.mem_mb ?? ''}`;
  /** Node finds a package's entry by its name, below a folder with a link to it. */
  const entryOf = (path: string): string => {
    const folder = join(runner.folder, 'links', short(path));
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(folder, 'node_modules'), { recursive: true, mode: 0o700 });
    symlinkSync(path, join(folder, 'node_modules', packed));
    writeEntry(folder, packed);
    return join(folder, 'entry.mjs');
  };
  return {
    isOld: (recipe, ready) => ready.version !== keyOf(recipe),
    find(recipe, done) {
      const name = recipe.plugin ?? '';
      const said = `plugin "${name}"`;
      versions.delete(name);
      const key = keyOf(recipe);
      const sha256 = shaOf(parts.settings().plugins[name] ?? '');
      if (sha256 !== undefined) {
        const make = fromArtifact(runner.files, sha256);
        const about = { key: `artifact-${sha256}`, name: said, inside: packed, recipe, make };
        fromShelf(parts, about, found => done('key' in found ? { ...found, version: key } : found));
        return;
      }
      setImmediate(() => {
        const found = findPlugin(runner.data, name);
        if (!found) return done({ why: 'setup', err: `there is no ${said} on this node` });
        try {
          const file = found.isFolder ? entryOf(found.path) : found.path;
          done({
            key,
            version: key,
            setup: { module: pathToFileURL(file).href, name: said, ...bounds },
            launch: () => freeLaunch(recipe.mem_mb, runner.environment, runner.folder, () => {}),
          });
        } catch (error) {
          done({ why: 'setup', err: `${said} cannot be read: ${(error as Error).message}` });
        }
      });
    },
  };
}

export function packageSource(parts: SourceParts): Source {
  return {
    find(recipe, done) {
      const text = recipe.package ?? '';
      const name = `package "${text.slice(0, 100)}"`;
      const sha256 = shaOf(text);
      if (sha256 !== undefined) {
        const make = fromArtifact(parts.runner.files, sha256);
        fromShelf(parts, { key: `artifact-${sha256}`, name, inside: packed, recipe, make }, done);
        return;
      }
      const pinned = readPinned(text);
      const { integrity, lock, scripts = false } = recipe;
      if (!pinned || integrity === undefined || lock === undefined) {
        setImmediate(done, { why: 'setup', err: `${name} is not pinned: its version, hash and lock must be said` });
        return;
      }
      if (scripts && !parts.settings().scripts) {
        const err = `this node runs no install scripts of packages: set "jobs.scripts" of it, if ${name} may`;
        setImmediate(done, { why: 'denied', err });
        return;
      }
      const key = `npm-${short(`${pinned.name} ${pinned.version} ${integrity} ${lock} ${scripts}`)}`;
      const make = fromNpm(parts.runner, { ...pinned, integrity, lock, scripts });
      fromShelf(parts, { key, name, inside: pinned.name, recipe, make }, done);
    },
  };
}

export function codeSource(parts: SourceParts, wallOf: typeof findWall = findWall): Source {
  let wall: readonly string[] | undefined;
  /** Code without a network runs only where the machine can see to that; what cannot be had once is asked for again. */
  const withWall = (next: (found: readonly string[] | undefined) => void): void => {
    if (wall) setImmediate(next, wall);
    else
      wallOf(found => {
        wall = found;
        next(found);
      });
  };
  return {
    isOld: () => !parts.settings().inline,
    find(recipe, done) {
      const ready = (before: readonly string[]): void => {
        const net = recipe.grant?.net === true;
        done({
          // Never two jobs in one process.
          key: `code ${recipe.r}`,
          setup: { code: recipe.code ?? '', name: 'inline code', ...bounds, ...confinement(net) },
          launch: () => confinedLaunch(recipe.mem_mb, before),
        });
      };
      if (!parts.settings().inline) {
        const err = 'this node runs no inline code: set "jobs.inline" of it, if it may';
        setImmediate(done, { why: 'denied', err });
      } else if (recipe.grant?.net) setImmediate(ready, []);
      else
        withWall(found => {
          if (found) ready(found);
          else
            done({
              why: 'denied',
              err: 'this node cannot keep inline code from the network (it needs Linux with "unshare" of util-linux, and root or user namespaces): grant "net", or let it run elsewhere',
            });
        });
    },
  };
}
