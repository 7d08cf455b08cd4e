/**
 * From what people said to what one node obeys. Pure. The most specific word about an item wins whole: the node's own
 * over its roles', theirs over role `all`'s. Two roles that differ about one item are no coin toss: the one whose word the
 * node had stays, and both are named (see {@link Conflict}).
 */

import { sameJson } from '../../shared/same-json.ts';
import type { NodeHeat } from '../../shared/schemas/heat.ts';
import { type ItemKindName, itemKinds } from '../../shared/schemas/item.ts';
import type { NodeJobs } from '../../shared/schemas/job.ts';
import type { NodeDocument, RoleDocument } from '../../shared/schemas/node-document.ts';
import type { Want } from '../../shared/schemas/want.ts';
import { type Rollout, wordFor } from '../rollout/record.ts';

/** What was decided about a machine when it joined: rules over facts, or the admin's word. */
export interface Given {
  readonly roles?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** A node's accepted document. */
export interface NodeEntry {
  readonly document: NodeDocument;
  /** Journal sequence of the last change. */
  readonly rev: number;
  readonly given?: Given;
  /** Item path -> the role whose word stays where roles differ. Absent: the first of them by name. */
  readonly kept?: Readonly<Record<string, string>>;
}

/** A role's accepted document. One that was forgotten stays as an empty one, so that revisions never fall. */
export interface RoleEntry {
  readonly document: RoleDocument;
  readonly rev: number;
  readonly gone?: true;
  /** Of the last change that is about nodes, where that is an earlier one. */
  readonly heard?: number | undefined;
  /** The rollout under way, or the last one: which nodes have this document, and which another one. */
  readonly rollout?: Rollout | undefined;
}

export type Roles = { get(role: string): RoleEntry | undefined };

/** Roles as one node has them: while a change is rolled out, others have something else. */
export const seenBy = (node: string, roles: Roles): Roles => ({
  get(role) {
    const entry = roles.get(role);
    return entry && wordFor(entry, node);
  },
});

/** What a `want` says beyond the authority's own keys. */
export type Compiled = Pick<Want, 'rev' | 'roles' | 'labels' | 'drain' | 'agent' | 'jobs' | ItemKindName | 'conflicts'>;

/** An item about which several of a node's roles differ. */
export interface Conflict {
  /** Such as `services/web`. */
  readonly path: string;
  /** All roles that have the item, by name. */
  readonly roles: readonly string[];
}

type Items = Readonly<Record<string, unknown>>;
const itemsOf = (document: NodeDocument | RoleDocument | undefined, kind: ItemKindName): Items =>
  document?.[kind] ?? {};

/** The node's roles, sorted, without `all`. */
export function rolesOf(entry: Pick<NodeEntry, 'document' | 'given'>): readonly string[] {
  const own = entry.document.roles ?? [];
  const given = entry.given?.roles ?? [];
  if (own.length === 0 && given.length === 0) return [];
  return [...new Set([...own, ...given])].sort();
}

/** Revision of the node's `want`: that of the last change to anything it is made of. `roles` are as the node has them. */
export function revOf(entry: NodeEntry, roles: Roles): number {
  let rev = Math.max(entry.rev, roles.get('all')?.rev ?? 0);
  for (const role of rolesOf(entry)) rev = Math.max(rev, roles.get(role)?.rev ?? 0);
  return rev;
}

/** Items that more than one of `names` has, and about which they differ. */
export function conflictsOf(names: readonly string[], roles: Roles): readonly Conflict[] {
  if (names.length < 2) return [];
  const conflicts: Conflict[] = [];
  for (const kind of itemKinds) {
    const holders = new Map<string, string[]>();
    for (const role of names) {
      for (const name of Object.keys(itemsOf(roles.get(role)?.document, kind))) {
        const held = holders.get(name);
        if (held) held.push(role);
        else holders.set(name, [role]);
      }
    }
    for (const [name, held] of holders) {
      const [first, ...others] = held;
      if (first === undefined || others.length === 0) continue;
      const said = itemsOf(roles.get(first)?.document, kind)[name];
      if (others.every(role => sameJson(itemsOf(roles.get(role)?.document, kind)[name], said))) continue;
      conflicts.push({ path: `${kind}/${name}`, roles: held });
    }
  }
  return conflicts;
}

/** Of the roles that have the item, the one whose word the node obeys. */
export const winnerOf = (holders: readonly string[], kept: string | undefined): string | undefined =>
  kept !== undefined && holders.includes(kept) ? kept : holders[0];

/** Everything a node obeys, each item with whose word it is. */
export function compile(node: string, entry: NodeEntry, all: Roles): Compiled {
  const roles = seenBy(node, all);
  const names = rolesOf(entry);
  const conflicts = conflictsOf(names, roles);
  const merged = (kind: ItemKindName): Record<string, unknown> => {
    const out: Record<string, unknown> = {};
    const put = (items: Items, from: string, may: (name: string) => boolean = () => true) => {
      for (const [name, item] of Object.entries(items)) if (may(name)) out[name] = { ...(item as object), from };
    };
    put(itemsOf(roles.get('all')?.document, kind), 'role/all');
    // From the last by name to the first, so that the first one's word stays where none was kept.
    for (const role of [...names].reverse()) {
      const mine = (name: string) => {
        const kept = entry.kept?.[`${kind}/${name}`];
        if (kept === undefined || kept === role || !names.includes(kept)) return true;
        return !Object.hasOwn(itemsOf(roles.get(kept)?.document, kind), name);
      };
      put(itemsOf(roles.get(role)?.document, kind), `role/${role}`, mine);
    }
    put(itemsOf(entry.document, kind), `node/${node}`);
    return out;
  };
  return {
    rev: revOf(entry, roles),
    roles: [...names],
    labels: { ...entry.given?.labels, ...entry.document.labels },
    drain: entry.document.drain ?? false,
    ...releaseOf(entry, names, roles),
    ...wantedJobs(jobsOf(entry, roles)),
    packages: merged('packages') as Compiled['packages'],
    files: merged('files') as Compiled['files'],
    services: merged('services') as Compiled['services'],
    checks: merged('checks') as Compiled['checks'],
    conflicts: conflicts
      .filter(({ path }) => !overridden(entry.document, path))
      .slice(0, 20)
      .map(({ path, roles: held }) => told(path, held, winnerOf(held, entry.kept?.[path]))),
  };
}

/** The agent that the node is to be: its own word, then that of the first role by name that has one, then `all`'s. */
function releaseOf(entry: NodeEntry, names: readonly string[], roles: Roles): Pick<Compiled, 'agent'> {
  const documents = [entry.document, ...names.map(role => roles.get(role)?.document), roles.get('all')?.document];
  const said = documents.find(document => document?.agent)?.agent;
  // "Follow" that the supervisor has not filled in yet says nothing.
  return said?.ver === undefined || said.sha256 === undefined ? {} : { agent: { ver: said.ver, sha256: said.sha256 } };
}

/**
 * A node's part in jobs, key by key, and plugin by plugin: its own word, then that of the first role by name that has one,
 * then `all`'s.
 * @param roles as the node has them.
 */
export function jobsOf(entry: NodeEntry, roles: Roles): NodeJobs {
  const said = ['all', ...[...rolesOf(entry)].reverse()].map(role => roles.get(role)?.document.jobs);
  let merged: NodeJobs = {};
  for (const jobs of [...said, entry.document.jobs]) {
    if (!jobs) continue;
    const plugins = { ...merged.plugins, ...jobs.plugins };
    merged = { ...merged, ...jobs, ...(Object.keys(plugins).length === 0 ? {} : { plugins }) };
  }
  return merged;
}

/** A node's part in heating, key by key, in the same order of words. For the supervisor alone. */
export function heatOf(entry: NodeEntry, roles: Roles): NodeHeat {
  const said = ['all', ...[...rolesOf(entry)].reverse()].map(role => roles.get(role)?.document.heat);
  let merged: NodeHeat = {};
  for (const heat of [...said, entry.document.heat]) if (heat) merged = { ...merged, ...heat };
  return merged;
}

/** How hot it may be is for the supervisor alone. */
function wantedJobs({ max_temp_c: _, ...jobs }: NodeJobs): Pick<Compiled, 'jobs'> {
  return Object.keys(jobs).length === 0 ? {} : { jobs };
}

/** The node's own word settles what its roles dispute. */
function overridden(document: NodeDocument, path: string): boolean {
  const [kind, ...rest] = path.split('/');
  return Object.hasOwn(itemsOf(document, kind as ItemKindName), rest.join('/'));
}

const told = (path: string, held: readonly string[], winner: string | undefined): string =>
  `${path}: the roles ${held.join(' and ')} differ; what ${winner} says stays`.slice(0, 300);

/**
 * Which roles' words stay on a node when its roles, or what they say, change: those it had before.
 * @returns undefined where it is as the entry says already.
 */
export function keptAfter(
  before: NodeEntry,
  rolesBefore: Roles,
  after: NodeEntry,
  rolesAfter: Roles,
): Readonly<Record<string, string>> | undefined {
  const namesBefore = rolesOf(before);
  const kept: Record<string, string> = {};
  for (const { path, roles: held } of conflictsOf(rolesOf(after), rolesAfter)) {
    const [kind, ...rest] = path.split('/');
    const had = (role: string) =>
      Object.hasOwn(itemsOf(rolesBefore.get(role)?.document, kind as ItemKindName), rest.join('/'));
    const winner = winnerOf(namesBefore.filter(had), before.kept?.[path]);
    if (winner !== undefined && winner !== held[0] && held.includes(winner)) kept[path] = winner;
  }
  return sameJson(kept, after.kept ?? {}) ? undefined : kept;
}
