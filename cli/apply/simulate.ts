/**
 * What the supervisor will make of documents that are not accepted yet: which nodes will be told something else, and what.
 * Pure; the compiling is the supervisor's own (broker/desired/compile.ts).
 */
import {
  type Compiled,
  compile,
  conflictsOf,
  keptAfter,
  type NodeEntry,
  type RoleEntry,
  rolesOf,
} from '../../broker/desired/compile.ts';
import { limits } from '../../shared/limits.ts';
import { sameJson } from '../../shared/same-json.ts';
import type { NodeDocument, RoleDocument } from '../../shared/schemas/node-document.ts';
import type { Want } from '../../shared/schemas/want.ts';
import { type Document, idOf, type NounPath, nounOf } from './document.ts';
import type { Documents } from './plan.ts';

/** What is retained of a cluster's desired state. */
export interface Desired {
  readonly documents: Documents;
  readonly wants: ReadonlyMap<string, Want>;
}

interface State {
  readonly nodes: Map<string, NodeEntry>;
  readonly roles: Map<string, RoleEntry>;
}

export interface NodeChange {
  readonly node: string;
  readonly before: Compiled;
  readonly after: Compiled;
}

export interface Outlook {
  /** Nodes that will be told something else, by id. */
  readonly changes: readonly NodeChange[];
  /** Every node's roles, `all` among them, when all is accepted. */
  readonly roles: ReadonlyMap<string, readonly string[]>;
  /** Why a node could not take it. */
  readonly problems: readonly string[];
}

/** Bytes that the supervisor's signature and what goes with it add to a compiled document. */
const sealBytes = 512;

/** @param next documents as they will be, in the order in which they are sent. */
export function outlook(desired: Desired, next: readonly (readonly [NounPath, Document])[]): Outlook {
  const before = stateOf(desired);
  const after: State = { nodes: new Map(before.nodes), roles: new Map(before.roles) };
  for (const [path, document] of next) accept(after, path, document);
  const changes: NodeChange[] = [];
  const problems: string[] = [];
  const roles = new Map<string, readonly string[]>();
  for (const [node, entry] of [...after.nodes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    roles.set(node, ['all', ...rolesOf(entry)]);
    const old = before.nodes.get(node);
    if (!old) continue;
    const one = { node, before: compile(node, old, before.roles), after: compile(node, entry, after.roles) };
    if (sameJson({ ...one.before, rev: 0 }, { ...one.after, rev: 0 })) continue;
    changes.push(one);
    const bytes = Buffer.byteLength(JSON.stringify(one.after));
    if (bytes > limits.want - sealBytes) {
      problems.push(
        `node ${node}: its compiled document would be ${Math.ceil(bytes / 1024)} kB, but at most ${limits.want / 1024} kB are allowed: give it less, or let its files come from artifacts`,
      );
    }
  }
  return { changes, roles, problems };
}

/** The supervisor's state, as far as the retained topics tell it. */
function stateOf({ documents, wants }: Desired): State {
  const nodes = new Map<string, NodeEntry>();
  const roles = new Map<string, RoleEntry>();
  for (const [path, { document, rev }] of documents) {
    if (nounOf(path) === 'role') roles.set(idOf(path), { document: document as RoleDocument, rev });
  }
  for (const [path, { document, rev }] of documents) {
    if (nounOf(path) === 'node') {
      nodes.set(idOf(path), entryOf(document as NodeDocument, rev, wants.get(idOf(path)), roles));
    }
  }
  return { nodes, roles };
}

/**
 * What only the supervisor keeps about a node shows in its `want`: what it was given, and whose word stays. A role or label
 * that it was given and that its own document says too cannot be told from one that only the document says.
 */
function entryOf(
  document: NodeDocument,
  rev: number,
  want: Want | undefined,
  roles: ReadonlyMap<string, RoleEntry>,
): NodeEntry {
  if (!want) return { document, rev };
  const given = {
    roles: want.roles.filter(role => !document.roles?.includes(role)),
    labels: Object.fromEntries(
      Object.entries(want.labels).filter(([key]) => !Object.hasOwn(document.labels ?? {}, key)),
    ),
  };
  const kept: Record<string, string> = {};
  for (const { path, roles: held } of conflictsOf(rolesOf({ document, given }), roles)) {
    const [kind, ...name] = path.split('/');
    const items = want[kind as 'services'] as Readonly<Record<string, { readonly from: string }>> | undefined;
    const from = items?.[name.join('/')]?.from.replace(/^role\//, '');
    if (from !== undefined && from !== held[0] && held.includes(from)) kept[path] = from;
  }
  return { document, rev, given, kept };
}

/** As the supervisor takes a `set`: whose word stays where roles differ is decided at each of them. */
function accept(state: State, path: NounPath, document: Document): void {
  const id = idOf(path);
  // What a room says is no node's document.
  if (nounOf(path) === 'room') return;
  if (nounOf(path) === 'node') {
    const old = state.nodes.get(id);
    if (!old) return;
    const entry = { ...old, document: document as NodeDocument };
    const kept = keptAfter(old, state.roles, entry, state.roles);
    state.nodes.set(id, kept ? { ...entry, kept } : entry);
    return;
  }
  const before = new Map(state.roles);
  state.roles.set(id, { document: document as RoleDocument, rev: 0 });
  if (id === 'all') return;
  for (const [node, entry] of state.nodes) {
    if (!rolesOf(entry).includes(id)) continue;
    const kept = keptAfter(entry, before, entry, state.roles);
    if (kept) state.nodes.set(node, { ...entry, kept });
  }
}
