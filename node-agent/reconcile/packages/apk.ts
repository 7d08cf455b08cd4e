/** apk-tools 2 and 3: Alpine. A version that is said stays in its world file, and so is kept. */
import { failureOf, listed, plain } from './failures.ts';
import type { Change, Failure, Finished, Installed, Offer, Progress, Provider } from './provider.ts';
import { ask, run } from './talk.ts';

const packageName = /^[A-Za-z0-9_][A-Za-z0-9._+-]*$/;

/** `apk list --installed`: `musl-1.2.4-r2 x86_64 {musl} (MIT) [installed]`. */
export function readList(text: string): Map<string, Installed> {
  return new Map(
    text.split('\n').flatMap(line => {
      const [, name, ver] = /^(\S+)-(\d[^-\s]*-r\d+) .*\[installed\]/.exec(line) ?? [];
      return name !== undefined && ver !== undefined ? [[name, { ver }] as const] : [];
    }),
  );
}

/** `apk policy`: versions, oldest first, each with the places that have it. */
export function readPolicy(text: string): Map<string, Offer> {
  const offers = new Map<string, Offer>();
  let name: string | undefined;
  let version: string | undefined;
  for (const line of text.split('\n')) {
    name = /^(\S+) policy:$/.exec(line)?.[1] ?? name;
    version = /^ {2}(\S+):$/.exec(line)?.[1] ?? version;
    // What only this machine has cannot be fetched.
    if (name === undefined || version === undefined || !/^ {4}\S/.test(line) || line.includes('lib/apk/db/installed'))
      continue;
    const known = offers.get(name)?.versions ?? [];
    offers.set(name, { candidate: version, versions: [version, ...known.filter(other => other !== version)] });
  }
  return offers;
}

/** `(1/3) Installing tool (1.0-r0)` */
function readProgress(line: string): Progress | undefined {
  const [, at, of, name] =
    /^\((\d+)\/(\d+)\) (?:Installing|Upgrading|Downgrading|Purging|Replacing) (\S+)/.exec(line) ?? [];
  if (name === undefined) return undefined;
  return { phase: 'working', name, pct: Math.round((100 * Number(at)) / Math.max(1, Number(of))) };
}

/** Who still needs what was to be removed; apk takes it out of its world, and leaves it. */
export function readKept(text: string): string[] {
  const section = /not removed due to:\n((?: {2}.*\n?)+)/.exec(text)?.[1] ?? '';
  return section.split('\n').flatMap(line => /^ {2}\S+: (.+)$/.exec(line)?.[1]?.split(' ') ?? []);
}

function readFailure(finished: Finished): Failure {
  const text = `${finished.out}\n${finished.err}`;
  if (/Unable to lock database/.test(text))
    return { sentence: 'another apk is at work', why: 'lock', holder: 'another apk' };
  if (/package mentioned in index not found/.test(text))
    return { sentence: 'the server no longer has what the lists name', why: 'stale' };
  return failureOf(finished, /^ERROR: |^ {2}\S.*:$|^ {4}(?:required by|breaks|conflicts|satisfies)/);
}
const failed = (finished: Finished): Failure | undefined => (finished.code === 0 ? undefined : readFailure(finished));

const wordOf = ({ name, version }: Change) => (version === undefined ? name : `${name}=${version}`);
const wordsOf = (changes: readonly Change[], action: Change['action']) => [
  ...new Set(
    changes.filter(change => change.action === action).map(action === 'install' ? wordOf : change => change.name),
  ),
];

export const apk: Provider = {
  name: 'apk',
  program: 'apk',
  account: 'root',

  refuse({ name, into, hold }) {
    if (into !== undefined) return '"into" is for npm and pip: apk has one place for all';
    if (hold) return 'apk has no hold of its own: say a version, which apk then keeps, and leave "hold" out';
    return packageName.test(name)
      ? undefined
      : `"${name}" is no name of an Alpine package: use letters, digits and . _ + -`;
  },

  *look() {
    const seen = yield* ask('apk', 'list', '--installed');
    if (seen.code === 0) return { installed: readList(seen.out), files: ['/lib/apk/db/installed'] };
    return {
      installed: new Map(),
      files: [],
      problem: `apk cannot say what is installed: ${readFailure(seen).sentence}`,
    };
  },

  *offers(names) {
    return readPolicy((yield* ask('apk', 'policy', ...names)).out);
  },

  *refresh() {
    const done = yield* run({ kind: 'fetch', argv: ['apk', 'update', '--no-progress'] });
    return done.code !== 0 || /^WARNING: .*(?:temporary error|DNS|network|could not connect)/im.test(done.err)
      ? readFailure(done)
      : undefined;
  },

  *preview(changes) {
    const installs = wordsOf(changes, 'install');
    if (installs.length > 0) {
      const failure = failed(yield* ask('apk', 'add', '--simulate', '--no-progress', ...installs));
      if (failure) return failure;
    }
    const removes = wordsOf(changes, 'remove');
    if (removes.length === 0) return undefined;
    const tried = yield* ask('apk', 'del', '--simulate', '--no-progress', ...removes);
    const needing = readKept(`${tried.out}\n${tried.err}`);
    if (needing.length > 0) return { sentence: plain(`${listed(needing)} needs it: remove that first, or leave this`) };
    return failed(tried);
  },

  *apply(_manager, changes) {
    let first: Failure | undefined;
    for (const [action, verb] of [
      ['remove', 'del'],
      ['install', 'add'],
    ] as const) {
      const words = wordsOf(changes, action);
      if (words.length === 0) continue;
      const argv = ['apk', verb, '--no-progress', ...words];
      first ??= failed(yield* run({ kind: 'change', argv, progress: readProgress }));
    }
    return first;
  },

  *upgrade() {
    return failed(yield* run({ kind: 'change', argv: ['apk', 'upgrade', '--no-progress'], progress: readProgress }));
  },
};
