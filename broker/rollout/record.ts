/**
 * A rollout as the journal keeps it, in the role's entry: what each node has been given, so that a supervisor that starts
 * anew goes on exactly there. Pure.
 *
 * A node has the role's accepted document, or one of `docs`, which are kept by the revision at which they were accepted.
 * Which one it has, and at which revision it was given to it, is the same before and after a crash: a step is one change
 * of the journal, and nothing is published before that is synced.
 */
import { z } from 'zod';
import { sameJson } from '../../shared/same-json.ts';
import { itemKinds } from '../../shared/schemas/item.ts';
import { type RoleDocument, roleDocument } from '../../shared/schemas/node-document.ts';
import { rolloutStates } from '../../shared/schemas/rollout.ts';

const count = z.number().int().nonnegative();

const nodeSchema = z.object({
  /** Revision at which it was given what it has of the role. */
  rev: count,
  /** Which of `docs` it has; absent: the accepted document. */
  doc: z.string().optional(),
  /** Where it goes back to, if that is not `good`: it was put back by an earlier rollout already. */
  back: z.string().optional(),
  /**
   * `given`: it has the new document and is not judged yet. `late`: likewise, but it is still busy with an earlier one, so
   * it was given this one when others were well with it, and nobody waits for it. `failed`: it was put back, or, where the role does not do that, is left as it is. Absent: it is
   * well with the accepted document, or, with a `doc`, its turn has not come.
   */
  stage: z.enum(['given', 'late', 'failed']).optional(),
  /** What was the matter with it before it was given the new document, and is not about what that changes. */
  was: z.array(z.string()).optional(),
});
export type RolloutNode = z.output<typeof nodeSchema>;

export const rolloutRecord = z.object({
  state: z.enum(rolloutStates),
  /** Revision of the change that is rolled out. */
  rev: count,
  since_ms: z.number(),
  /** How many nodes the role had at the last step. */
  n: count,
  /** The last good document: nodes that are not listed have it while the rollout is open. */
  good: z.string(),
  docs: z.record(z.string(), roleDocument),
  /** Revision of what nodes that are not listed have of the role. */
  base: count,
  nodes: z.record(z.string(), nodeSchema),
  /** Some node was found well with the new document. */
  passed: z.boolean(),
  /** The node that failed last, and why; or why it was put back. */
  failed: z.string().optional(),
  why: z.string().optional(),
  /** What was put back: nothing that somebody typed is lost. */
  lost: z.object({ document: roleDocument, rev: count }).optional(),
});
export type Rollout = z.output<typeof rolloutRecord>;

/** In place of a revision that is not known before the journal took the change. */
export const unstamped = -1;

/** Nodes may have different documents of the role, and those that are not listed have the last good one. */
export const isOpen = ({ state }: Rollout): boolean => state === 'rolling' || state === 'paused' || state === 'stopped';

/** A node may be called `constructor`. */
export const listedIn = (nodes: Rollout['nodes'], node: string): RolloutNode | undefined =>
  Object.hasOwn(nodes, node) ? nodes[node] : undefined;

interface Entry {
  readonly document: RoleDocument;
  readonly rev: number;
  readonly heard?: number | undefined;
  readonly rollout?: Rollout | undefined;
}

/** What the node has of the role, and since which revision. */
export interface Word {
  readonly document: RoleDocument;
  readonly rev: number;
}

export function wordFor({ document, rev, heard, rollout }: Entry, node: string): Word {
  if (!rollout) return { document, rev: heard ?? rev };
  const listed = listedIn(rollout.nodes, node);
  const doc = listed ? listed.doc : isOpen(rollout) ? rollout.good : undefined;
  return {
    document: (doc === undefined ? undefined : rollout.docs[doc]) ?? document,
    rev: listed?.rev ?? rollout.base,
  };
}

/** The highest revision in it: none may be above the journal's. */
export const newestRev = (rollout: Rollout): number =>
  Math.max(rollout.rev, rollout.base, ...Object.values(rollout.nodes).map(({ rev }) => rev));

/** The record with the revision of the change that brings it, where it could not be known before. */
export function stamped(rollout: Rollout, rev: number): Rollout {
  const nodes: Record<string, RolloutNode> = {};
  for (const [id, node] of Object.entries(rollout.nodes)) nodes[id] = node.rev === unstamped ? { ...node, rev } : node;
  return { ...rollout, nodes, rev: rollout.rev === unstamped ? rev : rollout.rev };
}

/** Without documents that nobody has or goes back to. */
export function withoutUnused(rollout: Rollout): Rollout {
  const used = new Set<string | undefined>();
  let back = isOpen(rollout);
  for (const node of Object.values(rollout.nodes)) {
    used.add(node.doc).add(node.back);
    if (node.doc !== undefined || (node.stage !== undefined && rollout.state !== 'reverted')) back = true;
  }
  if (back) used.add(rollout.good);
  const docs = Object.fromEntries(Object.entries(rollout.docs).filter(([key]) => used.has(key)));
  return { ...rollout, docs };
}

/** Nodes whose turn has not come, of those that are listed. */
export const isWaiting = ({ doc, stage }: RolloutNode): boolean => doc !== undefined && stage === undefined;
/** It has the new document, and is to be judged. */
export const isUnjudged = ({ stage }: RolloutNode): boolean => stage === 'given' || stage === 'late';

/** Keys of a role's document that are about the role itself: no node hears of them. */
const ofRole = new Set(['applied', 'rollout']);

/** Paths such as `services/web`, or keys such as `agent`, of what nodes hear of and in which two documents differ. */
export function changedItems(one: RoleDocument, other: RoleDocument): ReadonlySet<string> {
  const changed = new Set<string>();
  const kinds = new Set<string>(itemKinds);
  const plain = (document: RoleDocument) => document as Readonly<Record<string, unknown>>;
  for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
    if (!kinds.has(key) && !ofRole.has(key) && !sameJson(plain(one)[key], plain(other)[key])) changed.add(key);
  }
  for (const kind of itemKinds) {
    const [a, b] = [one[kind] ?? {}, other[kind] ?? {}] as const;
    const [before, after] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>];
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const both = Object.hasOwn(before, name) && Object.hasOwn(after, name);
      if (!both || !sameJson(before[name], after[name])) changed.add(`${kind}/${name}`);
    }
  }
  return changed;
}
