/** pip (21 and newer): the packages of a virtual environment, which is made where it is missing, or of the user. */
import { failureOf, plain } from './failures.ts';
import type { Change, Failure, Finished, Installed, Manager, Progress, Provider, Talk } from './provider.ts';
import { ask, run } from './talk.ts';

/** PEP 508. */
const packageName = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const version = /^[0-9][A-Za-z0-9.+]*$/;

/** An environment made here would take the place of the system's own programs. */
const systemFolders = new Set(
  [
    '',
    '/bin',
    '/boot',
    '/dev',
    '/etc',
    '/home',
    '/lib',
    '/media',
    '/mnt',
    '/opt',
    '/proc',
    '/root',
    '/run',
    '/sbin',
    '/srv',
    '/sys',
    '/tmp',
    '/usr',
    '/usr/local',
    '/var',
  ].map(path => path || '/'),
);

/** PEP 503: names that differ only so are one package. */
const normal = (name: string): string => name.toLowerCase().replace(/[-_.]+/g, '-');

/** `pip list -v --format=json`, by normal name; and the folder that pip itself is in. */
export function readList(text: string): { installed: Map<string, Installed>; folder: string | undefined } {
  const installed = new Map<string, Installed>();
  let folder: string | undefined;
  try {
    const rows = JSON.parse(text) as unknown;
    for (const row of Array.isArray(rows) ? rows : []) {
      if (typeof row?.name !== 'string' || typeof row.version !== 'string') continue;
      installed.set(normal(row.name), { ver: row.version });
      if (typeof row.location === 'string' && row.location.startsWith('/')) folder ??= row.location;
    }
  } catch {}
  return { installed, folder };
}

function readProgress(line: string): Progress | undefined {
  if (/^ *Downloading /.test(line)) return { phase: 'downloading' };
  return /^(?:Installing collected packages|Attempting uninstall|Uninstalling )/.test(line.trim())
    ? { phase: 'working' }
    : undefined;
}

function readFailure(finished: Finished): Failure {
  const text = `${finished.out}\n${finished.err}`;
  if (/externally-managed-environment/.test(text)) {
    return {
      sentence: 'the system keeps its Python to itself: say a virtual environment with "into", such as /opt/tools',
    };
  }
  if (/ensurepip is not available/.test(text)) {
    return { sentence: 'Python cannot make virtual environments here: install python3-venv first' };
  }
  if (/No module named pip\b/.test(text)) return { sentence: 'this Python has no pip: install python3-pip first' };
  const from = /^ERROR: (Could not find a version .*)$/m.exec(text)?.[1];
  const general = failureOf(finished, /^ERROR: |^error: /i);
  return general.why === undefined && from !== undefined ? { sentence: plain(from) } : general;
}
const failed = (finished: Finished): Failure | undefined => (finished.code === 0 ? undefined : readFailure(finished));

const python = ({ into }: Manager): string => (into === undefined ? 'python3' : `${into}/bin/python`);
const pipOf = (manager: Manager, verb: string, ...words: readonly string[]) => [
  ...[python(manager), '-m', 'pip', '--disable-pip-version-check', '--no-input', '--no-color'],
  ...[verb, ...words],
];

export const pip: Provider = {
  name: 'pip',
  program: 'python3',
  account: 'any',

  refuse({ name, version: said, into, hold }) {
    if (into !== undefined && systemFolders.has(into)) {
      return `"${into}" is a folder of the system: a virtual environment needs one of its own, such as ${into === '/' ? '' : into}/tools`;
    }
    if (hold) return 'pip has no hold: say a version, and leave "hold" out';
    if (!packageName.test(name)) return `"${name}" is no name of a Python package: use letters, digits and . _ -`;
    return said === undefined || version.test(said)
      ? undefined
      : `"${said}" is no version of a Python package, such as 1.2.3`;
  },

  *look(manager, names) {
    const seen = yield* ask(
      ...pipOf(manager, 'list', '-v', '--format=json', manager.into === undefined ? '--user' : '--local'),
    );
    // An environment that is not there yet holds nothing.
    if (seen.code < 0 && manager.into !== undefined) return { installed: new Map(), files: [python(manager)] };
    if (seen.code !== 0) {
      return {
        installed: new Map(),
        files: [],
        problem: `pip cannot say what is installed: ${readFailure(seen).sentence}`,
      };
    }
    const { installed, folder } = readList(seen.out);
    const found = names.flatMap(name => {
      const one = installed.get(normal(name));
      return one ? [[name, one] as const] : [];
    });
    return { installed: new Map(found), files: folder === undefined ? [] : [folder] };
  },

  *apply(manager, changes) {
    const installs = changes.filter(change => change.action === 'install');
    if (manager.into !== undefined && installs.length > 0) {
      const failure = yield* environmentAt(manager.into, python(manager));
      if (failure) return failure;
    }
    let first: Failure | undefined;
    const words = (these: readonly Change[], word: (change: Change) => string) => [...new Set(these.map(word))];
    const removes = words(
      changes.filter(change => change.action === 'remove'),
      change => change.name,
    );
    if (removes.length > 0) {
      first = failed(
        yield* run({ kind: 'change', argv: pipOf(manager, 'uninstall', '-y', ...removes), progress: readProgress }),
      );
    }
    if (installs.length === 0) return first;
    const named = words(installs, ({ name, version: said }) => (said === undefined ? name : `${name}==${said}`));
    const where = manager.into === undefined ? ['--user'] : [];
    const argv = pipOf(manager, 'install', ...where, ...named);
    return failed(yield* run({ kind: 'change', argv, progress: readProgress })) ?? first;
  },
};

/** Makes sure that it is a virtual environment, and one of its own: no folder that has anything else in it becomes one. */
function* environmentAt(into: string, program: string): Talk<Failure | undefined> {
  const there = yield* ask(program, '-c', 'import sys; print(sys.prefix != sys.base_prefix)');
  if (there.code === 0) {
    if (there.out.trim() === 'True') return undefined;
    return { sentence: `${into} has a Python that is no virtual environment: name another folder` };
  }
  const inside = yield* ask('ls', '-A', '--', into);
  if (inside.code === 0 && inside.out.trim() !== '') {
    return { sentence: `${into} is no virtual environment, and not empty: name another folder` };
  }
  const made = yield* run({ kind: 'change', argv: ['python3', '-m', 'venv', into] });
  return made.code === 0 ? undefined : readFailure(made);
}
