/** apt and dpkg: Debian, Ubuntu, Raspberry Pi OS. */
import { dpkgFormat, readAptFailure, readInstalled, readPolicy, readSimulation, readStatus } from './apt-reading.ts';
import { listed } from './failures.ts';
import type { Change, Failure, Finished, Provider, Talk } from './provider.ts';
import { ask, run } from './talk.ts';

/** Debian policy 5.6.1, with an architecture. apt reads other characters as a pattern, a release or a task. */
const packageName = /^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?$/;

const options = (more: readonly string[] = []) => [
  '-y',
  '-q',
  ...['Dpkg::Use-Pty=0', 'DPkg::Lock::Timeout=0', 'Acquire::Retries=1', 'Acquire::http::Timeout=30'].flatMap(o => [
    '-o',
    o,
  ]),
  // Whoever edited a configuration file keeps it: nobody is there to be asked.
  ...['Dpkg::Options::=--force-confdef', 'Dpkg::Options::=--force-confold'].flatMap(o => ['-o', o]),
  // What somebody else no longer needs is not Hearth's to remove.
  ...['-o', 'APT::Get::AutomaticRemove=false'],
  ...more,
];
/** Not 1: apt keeps its status descriptor from dpkg, whose scripts would then have no standard output. */
const status = ['-o', 'APT::Status-Fd=3'];

const wordOf = ({ name, action, version }: Change): string =>
  action === 'remove' ? `${name}-` : version === undefined ? name : `${name}=${version}`;

/** Downgrades are for who names the version. */
const install = (changes: readonly Change[], more: readonly string[]) => [
  'apt-get',
  ...options(more),
  ...(changes.some(change => change.version !== undefined) ? ['--allow-downgrades'] : []),
  'install',
  '--',
  ...changes.map(wordOf),
];

/** While only looking ahead, Hearth's own holds are still on: they are let go right before the change. */
const past = (changes: readonly Change[]) =>
  changes.some(change => change.release) ? ['--allow-change-held-packages'] : [];

const failed = (finished: Finished): Failure | undefined =>
  finished.code === 0 ? undefined : readAptFailure(finished);

export const apt: Provider = {
  name: 'apt',
  program: 'apt-get',
  account: 'root',
  lists: ['/var/lib/apt/lists', '/var/lib/apt/lists/partial'],

  refuse({ name, into }) {
    if (into !== undefined) return '"into" is for npm and pip: apt has one place for all';
    if (!packageName.test(name)) return `"${name}" is no name of a Debian package: use small letters, digits and + - .`;
    return undefined;
  },

  *look(_manager, names) {
    const seen = yield* ask('dpkg-query', '-W', '-f', dpkgFormat, '--', ...new Set(['dpkg', ...names]));
    const files = ['/var/lib/dpkg/status'];
    // 1: some are not installed. Everything else went wrong.
    if (seen.code === 0 || seen.code === 1) return { installed: readInstalled(seen.out), files };
    return {
      installed: new Map(),
      files: [],
      problem: `dpkg cannot say what is installed: ${readAptFailure(seen).sentence}`,
    };
  },

  *offers(names) {
    return readPolicy((yield* ask('apt-cache', 'policy', '--', ...names)).out);
  },

  *refresh() {
    const argv = ['apt-get', ...options(), 'update'];
    const done = yield* run({ kind: 'fetch', argv, progress: readStatus });
    // A server that did not answer is a warning to apt.
    return done.code === 0 && !/Some index files failed to download/.test(done.out + done.err)
      ? undefined
      : readAptFailure(done);
  },

  *preview(changes) {
    const tried = yield* ask(...install(changes, ['-s', ...past(changes)]));
    if (tried.code !== 0) return readAptFailure(tried);
    const { installs, removes, held } = readSimulation(tried.out);
    yield { tell: { versions: installs } };
    const released = new Set(changes.filter(change => change.release).map(change => change.name));
    const kept = held.filter(name => !released.has(name));
    if (kept.length > 0) return { sentence: `it would change ${listed(kept)} too, which somebody holds` };
    const asked = new Set(changes.filter(change => change.action === 'remove').map(change => change.name));
    const others = removes.filter(name => !asked.has(name) && !asked.has(name.replace(/:.*$/, '')));
    if (others.length === 0) return undefined;
    // With nothing to say it prints nothing; where it fails nobody knows, and all of them stay.
    const known = yield* ask('apt-mark', 'showauto', '--', ...others);
    const auto = new Set(known.code === 0 ? known.out.split('\n') : []);
    const precious = others.filter(name => !auto.has(name));
    if (precious.length === 0) return undefined;
    return {
      sentence: `it would remove ${listed(precious)} too, which somebody installed: remove that first, or leave this`,
    };
  },

  *fetch(changes) {
    if (changes.every(change => change.action === 'remove')) return undefined;
    return failed(
      yield* run({
        kind: 'fetch',
        argv: install(changes, [...status, '-d', ...past(changes)]),
        status: true,
        progress: readStatus,
      }),
    );
  },

  *apply(_manager, changes) {
    return failed(yield* run({ kind: 'change', argv: install(changes, status), status: true, progress: readStatus }));
  },

  *upgrade() {
    const argv = ['apt-get', ...options(status), '--with-new-pkgs', 'upgrade'];
    return failed(yield* run({ kind: 'change', argv, status: true, progress: readStatus }));
  },

  *repair() {
    const argv = ['dpkg', '--force-confdef', '--force-confold', '--configure', '-a'];
    return failed(yield* run({ kind: 'change', argv }));
  },

  hold: holding,
};

function* holding(names: readonly string[], on: boolean): Talk<Failure | undefined> {
  return failed(yield* run({ kind: 'change', argv: ['apt-mark', on ? 'hold' : 'unhold', '--', ...names] }));
}
