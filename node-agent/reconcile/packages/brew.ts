/** Homebrew, formulae only: macOS, and Linux where somebody set it up. It refuses to run as root. */
import { failureOf, plain } from './failures.ts';
import type { Change, Failure, Finished, Installed, Offer, Progress, Provider, Talk } from './provider.ts';
import { ask, run } from './talk.ts';

/** A formula, or `user/tap/formula`. */
const packageName = /^(?:[A-Za-z0-9][A-Za-z0-9._-]*\/[A-Za-z0-9][A-Za-z0-9._-]*\/)?[A-Za-z0-9][A-Za-z0-9@._+-]*$/;

const prefixes = ['/opt/homebrew', '/usr/local', '/home/linuxbrew/.linuxbrew'];
/** Without its tap: what brew lists. */
const shortName = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

/** `brew list --versions`: `jq 1.6 1.7.1`, the newest last. */
export function readVersions(text: string, pinned: ReadonlySet<string>): Map<string, Installed> {
  return new Map(
    text.split('\n').flatMap(line => {
      const [name, ...versions] = line.trim().split(' ');
      const ver = versions.at(-1);
      if (!name || ver === undefined || !/^[0-9A-Za-z]/.test(ver)) return [];
      return [[name, { ver, ...(pinned.has(name) ? { held: true } : {}) }] as const];
    }),
  );
}

/** `brew info --json=v2`: a formula has one version, with a revision of its packaging. */
export function readInfo(text: string): Map<string, Offer> {
  const offers = new Map<string, Offer>();
  try {
    const { formulae } = JSON.parse(text) as { formulae?: unknown };
    for (const one of Array.isArray(formulae) ? formulae : []) {
      const { name, full_name, versions, revision } = one ?? {};
      if (typeof versions?.stable !== 'string') continue;
      const version = revision > 0 ? `${versions.stable}_${revision}` : versions.stable;
      for (const called of [name, full_name])
        if (typeof called === 'string') offers.set(called, { candidate: version, versions: [version] });
    }
  } catch {}
  return offers;
}

function readProgress(line: string): Progress | undefined {
  if (/^==> (?:Fetching|Downloading)/.test(line)) return { phase: 'downloading' };
  const name = /^==> (?:Installing|Pouring|Upgrading) (\S+)/.exec(line)?.[1];
  return name === undefined ? undefined : { phase: 'working', name };
}

function readFailure(finished: Finished): Failure {
  const text = `${finished.out}\n${finished.err}`;
  const refused = /^(?:Error: )?Refusing to uninstall .*\n(because .*)$/m.exec(text)?.[1];
  if (refused !== undefined) return { sentence: plain(`brew refuses to uninstall it ${refused}`) };
  if (/has already locked|process is already running|Another active Homebrew/i.test(text)) {
    return { sentence: 'another brew is at work', why: 'lock', holder: 'another brew' };
  }
  return failureOf(finished, /^Error: /);
}
const failed = (finished: Finished): Failure | undefined => (finished.code === 0 ? undefined : readFailure(finished));

export const brew: Provider = {
  name: 'brew',
  program: 'brew',
  account: 'not-root',

  refuse({ name, into }) {
    if (into !== undefined) return '"into" is for npm and pip: brew has one place for all';
    return packageName.test(name) ? undefined : `"${name}" is no name of a formula: use "name" or "user/tap/name"`;
  },

  *look(_manager, names, holds) {
    const seen = yield* ask('brew', 'list', '--formula', '--versions', ...names.map(shortName));
    if (seen.code < 0)
      return { installed: new Map(), files: [], problem: `brew cannot say what is installed: ${plain(seen.err)}` };
    const pins = holds ? yield* ask('brew', 'list', '--pinned') : undefined;
    const installed = readVersions(seen.out, new Set(pins?.code === 0 ? pins.out.split('\n') : []));
    for (const name of names) {
      const one = installed.get(shortName(name));
      if (one) installed.set(name, one);
    }
    const files = prefixes.flatMap(prefix => [
      `${prefix}/Cellar`,
      `${prefix}/var/homebrew/pinned`,
      ...names.map(name => `${prefix}/Cellar/${shortName(name)}`),
    ]);
    return { installed, files };
  },

  /** One name that it does not know spoils the answer for all: then they are asked one by one. */
  *offers(names) {
    const all = yield* ask('brew', 'info', '--json=v2', '--formula', ...names);
    if (all.code === 0 || names.length === 1) return readInfo(all.out);
    const offers = new Map<string, Offer>();
    for (const name of names) {
      const one = yield* ask('brew', 'info', '--json=v2', '--formula', name);
      for (const [called, offer] of readInfo(one.out)) offers.set(called, offer);
    }
    return offers;
  },

  *refresh() {
    return failed(yield* run({ kind: 'fetch', argv: ['brew', 'update', '--quiet'] }));
  },

  *apply(_manager, changes) {
    let first: Failure | undefined;
    const steps: readonly [string, (change: Change) => boolean][] = [
      ['uninstall', ({ action }) => action === 'remove'],
      ['install', ({ action, from }) => action === 'install' && from === undefined],
      ['upgrade', ({ action, from }) => action === 'install' && from !== undefined],
    ];
    for (const [verb, which] of steps) {
      const names = [...new Set(changes.filter(which).map(change => change.name))];
      if (names.length === 0) continue;
      const argv = ['brew', verb, '--formula', ...names];
      first ??= failed(yield* run({ kind: 'change', argv, progress: readProgress }));
    }
    return first;
  },

  *upgrade() {
    return failed(yield* run({ kind: 'change', argv: ['brew', 'upgrade', '--formula'], progress: readProgress }));
  },

  hold: pinning,
};

function* pinning(names: readonly string[], on: boolean): Talk<Failure | undefined> {
  return failed(yield* run({ kind: 'change', argv: ['brew', on ? 'pin' : 'unpin', ...names] }));
}
