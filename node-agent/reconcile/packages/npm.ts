/** npm (7 and newer), its global packages: of this machine, or of a prefix (`<into>/bin`, `<into>/lib/node_modules`). */
import { failureOf, plain } from './failures.ts';
import type { Change, Failure, Finished, Installed, Manager, Progress, Provider } from './provider.ts';
import { ask, run } from './talk.ts';

/** `name` or `@scope/name`. `user/repo`, `a:b` and paths are other things to npm, and are never let through. */
const packageName = /^(?:@[A-Za-z0-9][A-Za-z0-9._~-]*\/)?[A-Za-z0-9][A-Za-z0-9._~-]*$/;
/** A whole version: `1`, `1.x` and `latest` would be installed as another one than they say. */
const wholeVersion = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;

/** `npm ls --parseable --long`: the folder itself, then `path:name@version` each. */
export function readList(text: string): { installed: Map<string, Installed>; folder: string | undefined } {
  const installed = new Map<string, Installed>();
  let folder: string | undefined;
  for (const line of text.split('\n')) {
    const [, path, name, ver] = /^(\/.+?):((?:@[^/:@]+\/)?[^@/:]+)@([^:\s]*)/.exec(line) ?? [];
    if (path === undefined || name === undefined) continue;
    if (ver === '' || ver === 'undefined') folder ??= path;
    else if (path.endsWith(`/node_modules/${name}`) && ver !== undefined) installed.set(name, { ver });
  }
  return { installed, folder };
}

const readProgress = (line: string): Progress | undefined =>
  /^npm (?:http fetch|info ok)/.test(line) ? { phase: 'downloading' } : undefined;

const noise = /^(?:code|syscall|errno|path|dest|enoent This|A complete log|Find more|\s*at |404 +Note|\s*$)/;

function readFailure(finished: Finished): Failure {
  const text = `${finished.out}\n${finished.err}`;
  const lines = text.split('\n').flatMap(line => /^npm (?:error|ERR!) ?(.*)$/.exec(line)?.[1] ?? []);
  const general = failureOf(finished, /^npm (?:error|ERR!)/);
  if (general.why !== undefined) return general;
  if (/code E404/.test(text))
    return {
      sentence: plain(
        `npm knows no such package: ${
          lines
            .find(line => line.startsWith('404'))
            ?.slice(3)
            .trim() ?? ''
        }`,
      ),
    };
  const said = lines.filter(line => !noise.test(line)).slice(0, 2);
  return said.length === 0 ? general : { sentence: plain(said.join(' ')) };
}
const failed = (finished: Finished): Failure | undefined => (finished.code === 0 ? undefined : readFailure(finished));

const place = ({ into }: Manager) => ['--global', ...(into === undefined ? [] : [`--prefix=${into}`])];
const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--no-progress', '--loglevel=error'];
const wordOf = ({ name, version }: Change) => (version === undefined ? name : `${name}@${version}`);

export const npm: Provider = {
  name: 'npm',
  program: 'npm',
  account: 'any',

  refuse({ name, version, hold }) {
    if (hold) return 'npm has no hold: say a version, and leave "hold" out';
    if (!packageName.test(name)) return `"${name}" is no name of an npm package: use "name" or "@scope/name"`;
    if (version !== undefined && !wholeVersion.test(version))
      return `"${version}" is no whole version of an npm package, such as 1.2.3`;
    return undefined;
  },

  *look(manager, names) {
    const seen = yield* ask('npm', 'ls', ...place(manager), '--depth=0', '--parseable', '--long', ...quiet);
    const { installed, folder } = readList(seen.out);
    // A prefix that is not there yet holds nothing.
    if (folder === undefined && manager.into === undefined) {
      return { installed, files: [], problem: `npm cannot say what is installed: ${readFailure(seen).sentence}` };
    }
    const modules = `${folder ?? `${manager.into}/lib`}/node_modules`;
    const scopes = names.flatMap(name => /^(@[^/]+)\//.exec(name)?.[1] ?? []);
    const files = [
      modules,
      ...scopes.map(scope => `${modules}/${scope}`),
      ...names.map(name => `${modules}/${name}/package.json`),
    ];
    return { installed, files };
  },

  *apply(manager, changes) {
    let first: Failure | undefined;
    for (const [action, verb, word] of [
      ['remove', 'uninstall', ({ name }: Change) => name],
      ['install', 'install', wordOf],
    ] as const) {
      const words = [...new Set(changes.filter(change => change.action === action).map(word))];
      if (words.length === 0) continue;
      const argv = ['npm', verb, ...place(manager), ...quiet, '--', ...words];
      first ??= failed(yield* run({ kind: 'change', argv, progress: readProgress }));
    }
    return first;
  },
};
