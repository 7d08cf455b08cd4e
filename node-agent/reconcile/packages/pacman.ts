/** pacman: Arch and its kin. Its repositories have one version of each package, and it has no holds to be set by command. */
import { failureOf, plain } from './failures.ts';
import type { Change, Failure, Finished, Installed, Offer, Progress, Provider } from './provider.ts';
import { ask, run } from './talk.ts';

/** PKGBUILD(5), `pkgname`. A slash would name a repository. */
const packageName = /^[A-Za-z0-9@_][A-Za-z0-9@._+-]*$/;
const flags = ['--noconfirm', '--noprogressbar'];

/** `pacman -Q` */
export function readQuery(text: string): Map<string, Installed> {
  return new Map(
    text.split('\n').flatMap(line => {
      const [, name, ver] = /^(\S+) (\S+)$/.exec(line) ?? [];
      return name !== undefined && ver !== undefined ? [[name, { ver }] as const] : [];
    }),
  );
}

/** `pacman -Si`, a paragraph each. The repository named first in its configuration comes first. */
export function readInfo(text: string): Map<string, Offer> {
  const offers = new Map<string, Offer>();
  for (const paragraph of text.split('\n\n')) {
    const name = /^Name +: (\S+)$/m.exec(paragraph)?.[1];
    const version = /^Version +: (\S+)$/m.exec(paragraph)?.[1];
    if (name === undefined || version === undefined) continue;
    const known = offers.get(name);
    offers.set(name, { candidate: known?.candidate ?? version, versions: [...(known?.versions ?? []), version] });
  }
  return offers;
}

function readProgress(line: string): Progress | undefined {
  const [, work] = /^(?:installing|removing|upgrading|downgrading|reinstalling) (\S+?)\.\.\.$/.exec(line) ?? [];
  if (work !== undefined) return { phase: 'working', name: work };
  return /^ \S+ downloading\.\.\.$/.test(line) ? { phase: 'downloading' } : undefined;
}

function readFailure(finished: Finished): Failure {
  const text = `${finished.out}\n${finished.err}`;
  if (/unable to lock database/.test(text)) {
    return { sentence: 'another pacman is at work', why: 'lock', holder: 'another pacman' };
  }
  if (/failed retrieving file.*(?:404|error: 404)/.test(text)) {
    return { sentence: 'the server no longer has what the lists name: upgrade this machine (pacman -Syu)' };
  }
  const needed = [...text.matchAll(/^:: (removing \S+ breaks dependency .*|unable to satisfy dependency .*)$/gm)];
  if (needed.length > 0) return { sentence: plain(needed.map(match => match[1]).join('; ')) };
  return failureOf(finished, /^error: /);
}
const failed = (finished: Finished): Failure | undefined => (finished.code === 0 ? undefined : readFailure(finished));

const namesOf = (changes: readonly Change[], action: Change['action']) => [
  ...new Set(changes.filter(change => change.action === action).map(change => change.name)),
];

export const pacman: Provider = {
  name: 'pacman',
  program: 'pacman',
  account: 'root',
  hint: 'its lists may be old, and fetching them alone would be half an upgrade: run pacman -Syu',

  refuse({ name, into, hold }) {
    if (into !== undefined) return '"into" is for npm and pip: pacman has one place for all';
    if (hold) return 'pacman has no hold: name the package in IgnorePkg of /etc/pacman.conf, and leave "hold" out';
    return packageName.test(name)
      ? undefined
      : `"${name}" is no name of a pacman package: use letters, digits and @ . _ + -`;
  },

  *look(_manager, names) {
    const seen = yield* ask('pacman', '-Q', '--', ...names);
    if (seen.code < 0)
      return { installed: new Map(), files: [], problem: `pacman cannot say what is installed: ${plain(seen.err)}` };
    return { installed: readQuery(seen.out), files: ['/var/lib/pacman/local'] };
  },

  *offers(names) {
    return readInfo((yield* ask('pacman', '-Si', '--', ...names)).out);
  },

  /** Only where there is none yet: newer lists than what is installed would make the next install half an upgrade. */
  *refresh() {
    const seen = yield* ask('pacman', '-Q', '--', 'pacman');
    if (!/database file for .* does not exist/.test(seen.err)) return undefined;
    return failed(yield* run({ kind: 'fetch', argv: ['pacman', '-Sy', ...flags], progress: readProgress }));
  },

  *preview(changes) {
    for (const [action, word] of [
      ['remove', '-R'],
      ['install', '-S'],
    ] as const) {
      const names = namesOf(changes, action);
      if (names.length === 0) continue;
      const failure = failed(yield* ask('pacman', word, ...flags, '-p', '--print-format', '%n %v', '--', ...names));
      if (failure) return failure;
    }
    return undefined;
  },

  *apply(_manager, changes) {
    let first: Failure | undefined;
    for (const [action, words] of [
      ['remove', ['-R']],
      ['install', ['-S', '--needed']],
    ] as const) {
      const names = namesOf(changes, action);
      if (names.length === 0) continue;
      const argv = ['pacman', ...words, ...flags, '--', ...names];
      first ??= failed(yield* run({ kind: 'change', argv, progress: readProgress }));
    }
    return first;
  },

  /** With the lists, as pacman wants it: half an upgrade is none. */
  *upgrade() {
    return failed(yield* run({ kind: 'change', argv: ['pacman', '-Syu', ...flags], progress: readProgress }));
  },
};
