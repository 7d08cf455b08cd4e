/** dnf 4 and 5, on rpm: Fedora, RHEL and its kin. Versions are rpm's `[epoch:]version-release`. */
import { failureOf, listed, plain } from './failures.ts';
import type { Change, Failure, Finished, Installed, Offer, Progress, Provider, Talk } from './provider.ts';
import { ask, run } from './talk.ts';

const packageName = /^[A-Za-z0-9][A-Za-z0-9._+-]*$/;
const rpmFormat = '%{NAME}\\t%{EPOCHNUM}\\t%{VERSION}-%{RELEASE}\\t%{ARCH}\\n';

/** Where rpm keeps its database, by age; and where the locks on versions are. */
const files = [
  '/usr/lib/sysimage/rpm/rpmdb.sqlite',
  '/var/lib/rpm/rpmdb.sqlite',
  '/var/lib/rpm/Packages',
  '/etc/dnf/plugins/versionlock.list',
  '/etc/dnf/versionlock.toml',
];

export function readRpms(text: string, locked: ReadonlySet<string>): Map<string, Installed> {
  const found = new Map<string, Installed>();
  for (const line of text.split('\n')) {
    const [name, epoch, ver] = line.split('\t');
    if (!name || !ver) continue;
    const held = locked.has(name) ? { held: true } : {};
    found.set(name, { ver: epoch === '0' || epoch === '' ? ver : `${epoch}:${ver}`, ...held });
  }
  return found;
}

/** `dnf versionlock list`: `tool-0:1.0-1.*` of dnf 4, `Package name: tool` of dnf 5. */
export function readLocks(text: string): Set<string> {
  const names = text.split('\n').flatMap(line => {
    const name =
      /^([A-Za-z0-9][^\s!]*)-\d+:[^-\s]+-[^-\s]+$/.exec(line)?.[1] ?? /^Package name: (\S+)$/.exec(line)?.[1];
    return name === undefined ? [] : [name];
  });
  return new Set(names);
}

/** `dnf repoquery`, oldest first. */
export function readRepoquery(text: string): Map<string, Offer> {
  const offers = new Map<string, Offer>();
  for (const line of text.split('\n')) {
    const [name, evr] = line.trim().split('\t');
    if (!name || !evr) continue;
    const versions = [evr, ...(offers.get(name)?.versions ?? []).filter(other => other !== evr)];
    offers.set(name, { candidate: evr, versions });
  }
  return offers;
}

/** What goes because something else goes, as `dnf remove` lists it. */
export function readDependents(text: string): string[] {
  const section = /^Removing dependent packages:\n((?: .*\n)+)/m.exec(text)?.[1] ?? '';
  return section.split('\n').flatMap(line => /^ (\S+)/.exec(line)?.[1] ?? []);
}

/** `  Installing       : tool-1.0-1.noarch      1/2`, and the wait for another dnf. */
export function readProgress(line: string): Progress | undefined {
  const waits = /Waiting for process with pid (\d+) to finish/.exec(line)?.[1];
  if (waits !== undefined) return { waiting: `another dnf (pid ${waits})` };
  const [, name, at, of] =
    /^ +(?:Installing|Upgrading|Downgrading|Erasing|Cleanup|Verifying) +: (\S+) +(\d+)\/(\d+)/.exec(line) ?? [];
  if (name === undefined) return undefined;
  return { phase: 'working', name, pct: Math.round((100 * Number(at)) / Math.max(1, Number(of))) };
}

const complaints = /^Error: |^ {1,2}Problem|^ {2,}- |^No match|^error: |filtered out/;

function readFailure(finished: Finished): Failure {
  const text = `${finished.out}\n${finished.err}`;
  if (/can't create transaction lock|waiting for .* lock/.test(text)) {
    return { sentence: 'another rpm is at work', why: 'lock', holder: 'another rpm' };
  }
  if (/Failed to download metadata|Cannot download|Error downloading packages/.test(text)) {
    const line = text.split('\n').find(each => /Curl error|Failed to download|Cannot download/.test(each)) ?? '';
    return { sentence: `the packages cannot be fetched: ${plain(line)}`, why: 'network' };
  }
  return failureOf(finished, complaints);
}
const failed = (finished: Finished): Failure | undefined => (finished.code === 0 ? undefined : readFailure(finished));

const wordOf = ({ name, version }: Change) => (version === undefined ? name : `${name}-${version}`);
const unique = (words: readonly string[]) => [...new Set(words)];

export const dnf: Provider = {
  name: 'dnf',
  program: 'dnf',
  account: 'root',

  refuse({ name, into }) {
    if (into !== undefined) return '"into" is for npm and pip: dnf has one place for all';
    return packageName.test(name)
      ? undefined
      : `"${name}" is no name of an rpm package: use letters, digits and . _ + -`;
  },

  *look(_manager, names, holds) {
    const seen = yield* ask('rpm', '-q', '--qf', rpmFormat, ...names);
    if (seen.code < 0)
      return { installed: new Map(), files: [], problem: `rpm cannot say what is installed: ${plain(seen.err)}` };
    const locks = holds ? yield* ask('dnf', '-q', '-y', 'versionlock', 'list') : undefined;
    return { installed: readRpms(seen.out, locks?.code === 0 ? readLocks(locks.out) : new Set()), files };
  },

  *offers(names) {
    return readRepoquery((yield* ask('dnf', '-q', '-y', 'repoquery', '--qf', '%{name}\\t%{evr}\\n', ...names)).out);
  },

  *refresh() {
    const done = yield* run({ kind: 'fetch', argv: ['dnf', '-y', 'makecache'], progress: readProgress });
    // A repository that does not answer is skipped, and only told of.
    return done.code !== 0 || /Failed to download metadata/.test(done.err) ? readFailure(done) : undefined;
  },

  *preview(changes) {
    const names = unique(changes.filter(change => change.action === 'remove').map(change => change.name));
    if (names.length === 0) return undefined;
    // Says what it would do, and ends with 1 because nobody agreed.
    const tried = yield* ask('dnf', '--assumeno', '--noautoremove', 'remove', ...names);
    if (!/^Transaction Summary/m.test(tried.out)) return failed(tried);
    const others = readDependents(tried.out).filter(name => !names.includes(name));
    if (others.length === 0) return undefined;
    const user = yield* ask('dnf', '-q', 'repoquery', '--userinstalled', '--qf', '%{name}\\n', ...others);
    const byHand = new Set(user.code === 0 ? user.out.split('\n').map(line => line.trim()) : others);
    const precious = others.filter(name => byHand.has(name));
    if (precious.length === 0) return undefined;
    return {
      sentence: `it would remove ${listed(precious)} too, which somebody installed: remove that first, or leave this`,
    };
  },

  *apply(_manager, changes) {
    let first: Failure | undefined;
    const steps: readonly [Change['action'], readonly string[], (change: Change) => string][] = [
      ['remove', ['--noautoremove', 'remove'], change => change.name],
      ['install', ['install'], wordOf],
    ];
    for (const [action, words, word] of steps) {
      const these = changes.filter(change => change.action === action);
      if (these.length === 0) continue;
      const argv = ['dnf', '-y', ...words, ...unique(these.map(word))];
      first ??= failed(yield* run({ kind: 'change', argv, progress: readProgress }));
    }
    return first;
  },

  *upgrade() {
    return failed(yield* run({ kind: 'change', argv: ['dnf', '-y', 'upgrade'], progress: readProgress }));
  },

  hold: holding,
};

function* holding(names: readonly string[], on: boolean): Talk<Failure | undefined> {
  const argv = ['dnf', '-q', '-y', 'versionlock', on ? 'add' : 'delete', ...names];
  const done = yield* run({ kind: 'change', argv });
  if (/No such command|Unknown argument "versionlock"/.test(done.out + done.err)) {
    return {
      sentence:
        'dnf holds packages by its versionlock plugin, which this machine does not have: install it, or leave "hold" out',
    };
  }
  return failed(done);
}
