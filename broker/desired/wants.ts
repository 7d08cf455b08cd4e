/** What nodes obey, as the journal says it: who has which role, how large a `want` becomes, and what a change touches. */
import { type ContractError, fail, ok, type Result } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import { itemKinds } from '../../shared/schemas/item.ts';
import {
  type Compiled,
  compile,
  keptAfter,
  type NodeEntry,
  type RoleEntry,
  type Roles,
  revOf,
  rolesOf,
  seenBy,
} from './compile.ts';
import type { Journal, Touched } from './journal.ts';

/** Bytes that `sig`, key, cluster, revision and node add to a `want`. */
const sealBytes = 512;
const mostBytes = limits.want - sealBytes;
/** What compiling adds to one item: whose word it is. */
const fromBytes = 40;

export class Wants {
  readonly #journal: Journal;
  /** Bytes of an accepted document: at most as many does it add to a `want`. */
  readonly #sizes = new WeakMap<object, number>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** What the node obeys by what is on stable storage. */
  compiled(node: string, entry: NodeEntry): Compiled {
    return compile(node, entry, this.#journal.durableRoles);
  }

  /** Revision of that. */
  rev(node: string, entry: NodeEntry): number {
    return revOf(entry, seenBy(node, this.#journal.durableRoles));
  }

  /** Nodes that have the role now. `all`: every node. */
  members(role: string, entries: ReadonlyMap<string, NodeEntry> = this.#journal.nodes): string[] {
    if (role === 'all') return [...entries.keys()];
    return [...entries].flatMap(([node, entry]) => (rolesOf(entry).includes(role) ? [node] : []));
  }

  /** Names of the node's services, its roles' with them; undefined for a node that is not known. */
  services(node: string): readonly string[] | undefined {
    const entry = this.#journal.nodes.get(node);
    return entry && Object.keys(compile(node, entry, this.#journal.roles).services);
  }

  /** Nodes whose `want` is another one after a batch, by what is on stable storage. */
  touched({ nodes, roles }: Touched): ReadonlySet<string> {
    const changed = new Set(nodes.keys());
    for (const role of roles.keys()) for (const node of this.members(role, this.#journal.durable)) changed.add(node);
    return changed;
  }

  /** A node's entry with another document: whose word stays where its roles differ, and that it fits. */
  changedNode(node: string, before: NodeEntry, document: NodeEntry['document']): Result<Omit<NodeEntry, 'rev'>> {
    const { roles: all } = this.#journal;
    const roles = seenBy(node, all);
    const after: NodeEntry = { ...before, document };
    const kept = keptAfter(before, roles, after, roles);
    const entry = kept ? { ...after, kept } : after;
    const problem = this.#tooLarge(node, entry, all);
    return problem ? { ok: false, error: problem } : ok(entry);
  }

  /**
   * Entries of nodes that must change when a role says something else to them, so that no word that a node obeys is
   * replaced by another role's; or the reason why a node could not take it, now or when its turn comes.
   */
  changedRole(role: string, after: RoleEntry): Result<ReadonlyMap<string, NodeEntry>> {
    const roles = this.#with(role, after);
    for (const node of this.members(role)) {
      const entry = this.#journal.nodes.get(node);
      const problem = entry && this.#tooLarge(node, entry, roles);
      if (problem) return fail(problem.code, `on node ${node}, ${problem.message}`);
    }
    return ok(this.kept(role, after));
  }

  /** The same for a step of a rollout: everything that it may come to was measured when it began. */
  kept(role: string, after: RoleEntry): ReadonlyMap<string, NodeEntry> {
    const also = new Map<string, NodeEntry>();
    if (role === 'all') return also;
    const before = this.#journal.roles;
    const roles = this.#with(role, after);
    for (const node of this.members(role)) {
      const entry = this.#journal.nodes.get(node);
      const kept = entry && keptAfter(entry, seenBy(node, before), entry, seenBy(node, roles));
      if (entry && kept) also.set(node, { ...entry, kept });
    }
    return also;
  }

  #with = (role: string, after: RoleEntry): Roles => ({
    get: name => (name === role ? after : this.#journal.roles.get(name)),
  });

  #tooLarge(node: string, entry: NodeEntry, roles: Roles): ContractError | undefined {
    // Only where all that it is made of might be too much together is it put together to be measured.
    let most = this.#sizeOf(entry.document);
    const settled = new Map<string, RoleEntry>();
    const before = new Map<string, RoleEntry>();
    for (const role of ['all', ...rolesOf(entry)]) {
      const said = roles.get(role);
      if (!said) continue;
      const { document, rev, rollout } = said;
      const sizes = [document, ...Object.values(rollout?.docs ?? {})].map(one => this.#sizeOf(one));
      most += Math.max(...sizes);
      settled.set(role, { document, rev });
      before.set(role, { document: rollout?.docs[rollout.good] ?? document, rev });
    }
    if (most <= mostBytes) return undefined;
    // While roles are rolled out: as it is, as it will be, and as it will be where that is put back.
    const sizes = [roles, settled, before].map(all => Buffer.byteLength(JSON.stringify(compile(node, entry, all))));
    const bytes = Math.max(...sizes);
    if (bytes <= mostBytes) return undefined;
    const message = `the node's document would be ${Math.ceil(bytes / 1024)} kB, but at most ${limits.want / 1024} kB are allowed`;
    return { code: 'too-large', message };
  }

  #sizeOf(document: NodeEntry['document'] | RoleEntry['document']): number {
    const known = this.#sizes.get(document);
    if (known !== undefined) return known;
    const items = itemKinds.reduce((sum, kind) => sum + Object.keys(document[kind] ?? {}).length, 0);
    const bytes = Buffer.byteLength(JSON.stringify(document)) + items * fromBytes;
    this.#sizes.set(document, bytes);
    return bytes;
  }
}
