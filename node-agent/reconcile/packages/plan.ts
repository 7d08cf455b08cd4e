/** From what is installed and what is wanted to changes, one step per manager. Pure. */
import type { Package, PackageProviderName } from '../../../shared/schemas/package.ts';
import type { StepOf } from '../kind.ts';
import { entryKey, type Ledger } from './ledger.ts';
import { type Change, type Installed, type Manager, managerId } from './provider.ts';
import { providerOf } from './providers.ts';

export interface PackageSteps {
  /** One transaction. */
  'packages.change': { readonly manager: Manager; readonly changes: readonly Change[] };
  /** A transaction of an earlier plan is still at work, and what it does cannot be cut short: its end is waited for. */
  'packages.wait': { readonly manager: Manager };
  /** Nothing on the machine changes, only what the ledger says of it. */
  'packages.note': {
    readonly forget: readonly string[];
    readonly settled: Readonly<Record<string, string>>;
    readonly unsettled: readonly string[];
  };
}

/** One manager as far as planning goes. */
export interface ManagerIs {
  readonly manager: Manager;
  readonly installed: ReadonlyMap<string, Installed>;
  /** Why nobody knows what is installed: `this machine has no dnf`. */
  readonly problem?: string | undefined;
  /** Why it cannot change anything: `needs root`. */
  readonly powerless?: string | undefined;
  /** A transaction is under way. */
  readonly busy: boolean;
}

/** A change that failed and is not due yet. */
export interface Waiting {
  /** Of {@link changeKey}: another change than the one that failed is tried at once. */
  readonly key: string;
  readonly err: string;
  /** Another try may go better, and nobody need do anything for it. */
  readonly later: boolean;
  /** Epoch milliseconds of the next try. */
  readonly next_ms: number;
}

export interface PackagesIs {
  /** The system's own manager, where it has one that is known. */
  readonly system: PackageProviderName | undefined;
  /** By {@link managerId}: of all that the wanted items and the ledger name. */
  readonly managers: ReadonlyMap<string, ManagerIs>;
  readonly ledger: Ledger;
  /** By item. */
  readonly waiting: ReadonlyMap<string, Waiting>;
}

export type Wanted = Readonly<Record<string, Package>>;

/** What is to be said and done about one item. */
export interface Verdict {
  readonly item: string;
  readonly state: 'ok' | 'change' | 'waiting' | 'drifted' | 'failed';
  readonly manager?: Manager;
  readonly ver?: string;
  readonly change?: Change;
  readonly err?: string;
  readonly next_ms?: number;
  /** What it is told to be, to see whether it was told something else. */
  readonly key: string;
}

/** Two wants are the same where this is the same; whose word it is does not matter. */
export const itemKey = (item: Package): string =>
  JSON.stringify([item.name, item.state ?? 'installed', item.version, item.provider, item.into, item.hold === true]);

export const changeKey = ({ name, action, version, hold, release }: Change): string =>
  JSON.stringify([name, action, version, hold, release]);

/** Which manager an item is about; undefined: the machine has none and the item names none. */
export function managerOf(item: Package, system: PackageProviderName | undefined): Manager | undefined {
  const provider = item.provider ?? system;
  return provider === undefined ? undefined : { provider, ...(item.into === undefined ? {} : { into: item.into }) };
}

/** All that is wanted of one manager, as one text: another one means another document. */
export function wantsOf(wanted: Wanted, system: PackageProviderName | undefined, id: string): string {
  const wants = Object.entries(wanted).flatMap(([item, one]) => {
    const manager = managerOf(one, system);
    return manager && managerId(manager) === id ? [`${item} ${itemKey(one)}`] : [];
  });
  return wants.sort().join('\n');
}

/** Every wanted item, and what Hearth put there that nobody wants any more; in the order of names. */
export function judge(is: PackagesIs, wanted: Wanted): Verdict[] {
  const named = new Map<string, string[]>();
  for (const [item, one] of Object.entries(wanted)) {
    const manager = managerOf(one, is.system);
    if (!manager) continue;
    const key = entryKey(manager, one.name ?? item);
    named.set(key, [...(named.get(key) ?? []), item]);
  }
  const verdicts = Object.entries(wanted).map(([item, one]) => judgeItem(is, wanted, named, item, one));
  for (const [key, entry] of Object.entries(is.ledger.packages)) {
    if (named.has(key)) continue;
    const item = entry.item in wanted ? `${entry.name}@${managerId(entry.manager)}` : entry.item;
    const verdict = judgeLeft(is, item.slice(0, 120), key);
    if (verdict) verdicts.push(verdict);
  }
  return verdicts.sort((a, b) => (a.item < b.item ? -1 : a.item > b.item ? 1 : 0));
}

const disagree = (a: Package, b: Package): boolean =>
  (a.state ?? 'installed') !== (b.state ?? 'installed') ||
  (a.version !== undefined && b.version !== undefined && a.version !== b.version);

function judgeItem(
  is: PackagesIs,
  wanted: Wanted,
  named: ReadonlyMap<string, readonly string[]>,
  item: string,
  said: Package,
): Verdict {
  const name = said.name ?? item;
  const key = itemKey(said);
  const manager = managerOf(said, is.system);
  const failed = (err: string, ver?: string): Verdict => ({
    item,
    state: 'failed',
    key,
    err,
    ...(manager ? { manager } : {}),
    ...(ver === undefined ? {} : { ver }),
  });
  if (!manager) return failed('this machine has none of apt, dnf, pacman, apk and brew: name a provider');
  const absent = said.state === 'absent';
  const others = (named.get(entryKey(manager, name)) ?? []).filter(other => other !== item);
  const against = others.find(other => disagree(said, wanted[other] ?? {}));
  if (against !== undefined) {
    return failed(`"${item}" and "${against}" say different things of one package, "${name}": keep one of them`);
  }
  // Whoever asks for more has it: the others are content with it.
  const all = [said, ...others.flatMap(other => wanted[other] ?? [])];
  const hold = all.some(one => one.hold === true);
  const version = all.find(one => one.version !== undefined)?.version;
  if (absent && (version !== undefined || hold))
    return failed('a package that is to be absent has no version and no hold');
  const refused = providerOf(manager.provider).refuse({ name, version, into: said.into, hold });
  if (refused !== undefined) return failed(refused);
  const machine = is.managers.get(managerId(manager));
  if (!machine || machine.problem !== undefined)
    return failed(machine?.problem ?? `${managerId(manager)} was not asked yet`);

  const now = machine.installed.get(name);
  const entry = is.ledger.packages[entryKey(manager, name)];
  const ver = now?.ver;
  const asSaid = absent ? now === undefined : now !== undefined && !now.broken && (version ?? ver) === ver;
  const ourHold = entry?.held === true && now?.held === true;
  const release = ourHold && (!asSaid || !hold);
  if (asSaid && (hold ? now?.held === true : !release)) {
    return { item, state: 'ok', key, manager, ...(ver === undefined ? {} : { ver }) };
  }
  if (!asSaid && now?.held === true && !ourHold) {
    return failed(`somebody holds "${name}" at ${ver}: it stays so until they let it go`, ver);
  }
  const change: Change = {
    item,
    name,
    action: asSaid ? 'keep' : absent ? 'remove' : 'install',
    version,
    from: ver,
    release,
    hold,
  };
  return weigh(
    is,
    machine,
    change,
    { item, state: 'change', key, manager, ...(ver === undefined ? {} : { ver }) },
    said,
  );
}

/** A change that is called for: is it made now? */
function weigh(is: PackagesIs, machine: ManagerIs, change: Change, verdict: Verdict, said?: Package): Verdict {
  if (said?.drift === 'report' && is.ledger.settled[verdict.item] === verdict.key) {
    const was = change.from === undefined ? 'is not installed' : `is ${change.from}`;
    const to = change.action === 'remove' ? 'absent' : (change.version ?? 'installed');
    const err = change.action === 'keep' ? `"${change.name}" is no longer held` : `"${change.name}" ${was}, not ${to}`;
    return { ...verdict, state: 'drifted', err };
  }
  if (machine.powerless !== undefined) return { ...verdict, state: 'failed', err: machine.powerless };
  const tried = is.waiting.get(verdict.item);
  if (tried?.key === changeKey(change)) {
    const { err, next_ms, later } = tried;
    return { ...verdict, state: later ? 'waiting' : 'failed', err, next_ms };
  }
  return { ...verdict, change };
}

/** What Hearth put there and nobody wants any more. */
function judgeLeft(is: PackagesIs, item: string, key: string): Verdict | undefined {
  const entry = is.ledger.packages[key];
  const machine = entry && is.managers.get(managerId(entry.manager));
  // Where nobody can say whether it is there, it is kept in mind and left alone.
  if (!entry || !machine || machine.problem !== undefined) return undefined;
  const now = machine.installed.get(entry.name);
  const release = entry.held && now?.held === true;
  const goes = entry.ours && now !== undefined;
  if (!goes && !release) return undefined;
  const { manager, name } = entry;
  const about = { item, key, manager, ...(now === undefined ? {} : { ver: now.ver }) };
  if (goes && now.held === true && !release) {
    return { ...about, state: 'failed', err: `somebody holds "${name}": it is not removed until they let it go` };
  }
  const change: Change = { item, name, action: goes ? 'remove' : 'keep', from: now?.ver, release, hold: false };
  return weigh(is, machine, change, { ...about, state: 'change' });
}

/** Steps from what is to what is wanted. The same again plans nothing. */
export function planPackages(is: PackagesIs, wanted: Wanted): StepOf<PackageSteps>[] {
  const verdicts = judge(is, wanted);
  const changes = new Map<string, { manager: Manager; changes: Change[] }>();
  for (const { manager, change } of verdicts) {
    if (!manager || !change) continue;
    const id = managerId(manager);
    const group = changes.get(id) ?? { manager, changes: [] };
    changes.set(id, group);
    group.changes.push(change);
  }
  const steps: StepOf<PackageSteps>[] = [];
  for (const [id, { manager, busy }] of [...is.managers].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const wants = changes.get(id)?.changes ?? [];
    const about = { id: `packages/${id}`, after: [] };
    if (busy) steps.push({ ...about, step: 'packages.wait', args: { manager } });
    else if (wants.length > 0) steps.push({ ...about, step: 'packages.change', args: { manager, changes: wants } });
  }
  const note = notes(is, wanted, verdicts);
  if (note) steps.push({ id: 'packages/ledger', after: [], step: 'packages.note', args: note });
  return steps;
}

function notes(
  is: PackagesIs,
  wanted: Wanted,
  verdicts: readonly Verdict[],
): PackageSteps['packages.note'] | undefined {
  const settled: Record<string, string> = {};
  for (const { item, state, key } of verdicts) {
    if (state === 'ok' && wanted[item]?.drift === 'report' && is.ledger.settled[item] !== key) settled[item] = key;
  }
  const unsettled = Object.keys(is.ledger.settled).filter(item => wanted[item]?.drift !== 'report');
  const named = new Set(
    Object.entries(wanted).flatMap(([item, one]) => {
      const manager = one.state === 'absent' ? undefined : managerOf(one, is.system);
      return manager ? [entryKey(manager, one.name ?? item)] : [];
    }),
  );
  const forget = Object.entries(is.ledger.packages).flatMap(([key, entry]) => {
    const machine = is.managers.get(managerId(entry.manager));
    if (!machine || machine.problem !== undefined || machine.busy || named.has(key)) return [];
    const now = machine.installed.get(entry.name);
    return (entry.ours && now !== undefined) || (entry.held && now?.held === true) ? [] : [key];
  });
  if (forget.length === 0 && unsettled.length === 0 && Object.keys(settled).length === 0) return undefined;
  return { forget, settled, unsettled };
}
