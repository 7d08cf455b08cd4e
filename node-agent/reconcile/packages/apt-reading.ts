/** Reads what apt and dpkg print (in the C locale; apt 1.8 to 3, dpkg 1.19 and newer). */
import { failureOf, plain } from './failures.ts';
import type { Failure, Finished, Installed, Offer, Progress } from './provider.ts';

/** What `dpkg-query -W` is to print: name, architecture, state (dpkg-query(1), `db:Status-Abbrev`), version. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: these are dpkg's own
export const dpkgFormat = '${Package}\\t${Architecture}\\t${db:Status-Abbrev}\\t${Version}\\n';

/**
 * Packages by name, and by `name:architecture`. A name alone is the machine's own architecture's, which is that of dpkg
 * itself: ask for `dpkg` too.
 */
export function readInstalled(text: string): Map<string, Installed> {
  const rows = text.split('\n').flatMap(line => {
    const [name, arch, state, ver] = line.split('\t');
    return name && arch && state && ver ? [{ name, arch, state, ver }] : [];
  });
  const own = rows.find(row => row.name === 'dpkg')?.arch;
  const found = new Map<string, Installed>();
  for (const { name, arch, state, ver } of rows) {
    const is = state[1] ?? '';
    // Not installed, or only its configuration files are left.
    if (is === 'n' || is === 'c') continue;
    const one: Installed = {
      ver,
      ...(state[0] === 'h' ? { held: true } : {}),
      // Triggers that wait are no fault of the package.
      ...(!'iWt'.includes(is) || state[2] === 'R' ? { broken: true } : {}),
    };
    found.set(`${name}:${arch}`, one);
    if (own === undefined || arch === own || arch === 'all') found.set(name, one);
  }
  return found;
}

/** `apt-cache policy`: a name that apt does not know has no paragraph; a virtual one has no version. */
export function readPolicy(text: string): Map<string, Offer> {
  const offers = new Map<string, { candidate?: string; versions: string[] }>();
  let now: { candidate?: string; versions: string[] } | undefined;
  for (const line of text.split('\n')) {
    const name = /^(\S+):$/.exec(line)?.[1];
    if (name !== undefined) {
      now = { versions: [] };
      offers.set(name, now);
      continue;
    }
    const candidate = /^ {2}Candidate: (\S+)/.exec(line)?.[1];
    if (candidate !== undefined && candidate !== '(none)' && now) now.candidate = candidate;
    const version = /^ (?:\*\*\*| {3}) (\S+) -?\d+(?: |$)/.exec(line)?.[1];
    if (version !== undefined) now?.versions.push(version);
  }
  for (const [name, offer] of offers) if (offer.versions.length === 0) offers.delete(name);
  return offers;
}

/** `Remv` and `Inst` lines of `apt-get -s`, and which held packages it would change. */
export function readSimulation(text: string): { installs: Map<string, string>; removes: string[]; held: string[] } {
  const installs = new Map<string, string>();
  const removes: string[] = [];
  for (const line of text.split('\n')) {
    const [, name, version] = /^Inst (\S+) (?:\[[^\]]*\] )?\((\S+) /.exec(line) ?? [];
    if (name !== undefined && version !== undefined) installs.set(name, version);
    const gone = /^Remv (\S+)/.exec(line)?.[1];
    if (gone !== undefined) removes.push(gone);
  }
  const section = /^The following held packages will be changed:\n((?: {2}.*\n)+)/m.exec(text)?.[1] ?? '';
  return { installs, removes, held: section.split(/\s+/).filter(name => name !== '') };
}

/** A line of `APT::Status-Fd` (apt's README.progress-reporting): `dlstatus:…`, `pmstatus:package:percent:text`. */
export function readStatus(line: string): Progress | undefined {
  const [, kind, name = '', pct] = /(dlstatus|pmstatus):([^:]*(?::[a-z0-9]+)?):([\d.]+):/.exec(line) ?? [];
  if (kind === undefined) return undefined;
  const percent = { pct: Math.max(0, Math.min(100, Math.round(Number(pct)))) };
  if (kind === 'dlstatus') return { phase: 'downloading', ...percent };
  return { phase: 'working', ...percent, ...(name === '' ? {} : { name }) };
}

const lock =
  /Could not get lock \S+?\.? (?:It is held by process (\d+)(?: \(([^)]*)\))?|- open)|frontend lock was locked by another process(?: with pid (\d+))?|Unable to acquire the dpkg frontend lock|Unable to lock directory|is another process using it|status database area is locked by another process/;

/** Why apt or dpkg did not do it. */
export function readAptFailure(finished: Finished): Failure {
  const text = `${finished.out}\n${finished.err}`;
  const locked = lock.exec(text);
  if (locked) {
    const pid = locked[1] ?? locked[3];
    const holder = `another ${plain(locked[2] ?? 'apt').slice(0, 40)}${pid === undefined ? '' : ` (pid ${pid})`}`;
    return { sentence: `${holder} is at work`, why: 'lock', holder };
  }
  if (/dpkg was interrupted/.test(text))
    return { sentence: 'an earlier run of dpkg was interrupted', why: 'interrupted' };
  // The lists name a file that the server no longer has, or has anew.
  if (/Failed to fetch .*(?:404 +Not Found|Hash Sum mismatch|File has unexpected size|File not found)/.test(text)) {
    const line = text.split('\n').find(each => each.includes('Failed to fetch')) ?? '';
    return { sentence: plain(line.replace(/^[EW]: /, '')), why: 'stale' };
  }
  if (/Essential packages were removed/.test(text)) {
    return { sentence: 'it would remove packages without which this system does not work: leave it' };
  }
  if (/Held packages were changed/.test(text)) {
    return { sentence: 'it would change a package that somebody holds (apt-mark showhold names it)' };
  }
  const broken = /Errors were encountered while processing:\n((?: \S+\n?)+)/.exec(text)?.[1];
  if (broken !== undefined) {
    const said = /^dpkg: error processing .*\n(.*)$/m.exec(text)?.[1];
    return { sentence: plain(`dpkg could not configure ${broken.trim()}: ${said?.trim() ?? 'see its log'}`) };
  }
  const unmet = /The following packages have unmet dependencies:\n((?: .*\n?)+)/.exec(text)?.[1];
  if (unmet !== undefined) return { sentence: plain(`its dependencies cannot be met: ${unmet.trim()}`) };
  return failureOf(finished, /^E: |^dpkg: error/);
}
