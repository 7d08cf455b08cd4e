/**
 * Rollouts: a change to a role goes to one node first, then to the others batch by batch; who does not come well in time
 * is put back, and too many of them end it. Pure: what the nodes are like goes in, the next record and what is to be told
 * come out. Every step is one change of the journal (rollouts.ts).
 *
 * After Nomad's `update` block (canary, MaxParallel, MinHealthyTime, HealthyDeadline, AutoRevert), with the revert on.
 */
import type { RoleDocument } from '../../shared/schemas/node-document.ts';
import { batchOf, type RolloutSettings } from '../../shared/schemas/rollout.ts';
import type { Verdict } from './health.ts';
import {
  isOpen,
  isUnjudged,
  isWaiting,
  listedIn,
  type Rollout,
  type RolloutNode,
  unstamped,
  withoutUnused,
} from './record.ts';

/** A role's accepted document and its rollout. */
export interface Rolling {
  readonly document: RoleDocument;
  readonly rollout: Rollout;
}

/** A node whose turn has not come. */
export interface Candidate {
  readonly node: string;
  readonly online: boolean;
  /** It has done what it was told before: who has not is no judge of what comes next. */
  readonly ready: boolean;
  /** The change says something about what it obeys. */
  readonly affected: boolean;
  /** What is the matter with it and not about what changes: keys of problems (health.ts). */
  readonly problems: readonly string[];
}

export interface Look {
  readonly settings: RolloutSettings;
  /** Nodes that the role has. */
  readonly members: ReadonlySet<string>;
  /** Of nodes that are not judged yet. */
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** Asked only where the next may have their turn. */
  readonly waiting: () => readonly Candidate[];
  /** Milliseconds since the last node was judged. */
  readonly idleMs: number;
}

/** What happened, for `event`. */
export interface News {
  readonly kind: 'started' | 'canary' | 'failed' | 'reverted' | 'stopped' | 'done';
  readonly node?: string;
  readonly why?: string;
}

export interface Step extends Rolling {
  readonly news: readonly News[];
  /** The accepted document is another one. */
  readonly reverted?: true;
}

/** Nodes that are away, or busy, are waited for so long once nothing else is to be done: they may be about to come. */
export const awayMs = 30_000;
/** Documents kept beside the accepted one: who has an older one gets the last good one instead. */
const mostDocs = 4;

/** The record of a change that begins; nobody has been given anything yet. */
export function begin(
  before: {
    readonly document: RoleDocument;
    readonly rev: number;
    readonly heard?: number | undefined;
    readonly rollout?: Rollout | undefined;
  },
  n: number,
  atMs: number,
): Rollout {
  const { rollout: last } = before;
  const key = String(before.rev);
  const open = last !== undefined && isOpen(last);
  const nodes: Record<string, RolloutNode> = {};
  for (const [id, { rev, doc = key, back }] of Object.entries(last?.nodes ?? {})) {
    const to = open ? back : doc === key ? undefined : doc;
    nodes[id] = { rev, doc, ...(to === undefined ? {} : { back: to }) };
  }
  const good = open ? last.good : key;
  const all = withoutUnused({
    state: 'rolling',
    rev: unstamped,
    since_ms: atMs,
    n,
    good,
    docs: { ...last?.docs, [key]: before.document },
    base: last?.base ?? before.heard ?? before.rev,
    nodes,
    passed: false,
  });
  return withFewer(all);
}

function withFewer(rollout: Rollout): Rollout {
  const { good } = rollout;
  const others = Object.keys(rollout.docs).filter(key => key !== good);
  if (others.length <= mostDocs) return rollout;
  const dropped = new Set(others.sort((a, b) => Number(a) - Number(b)).slice(0, others.length - mostDocs));
  const nodes = { ...rollout.nodes };
  for (const [id, { back, ...node }] of Object.entries(nodes)) {
    const had = node.doc !== undefined && dropped.has(node.doc);
    const kept = back === undefined || dropped.has(back) ? {} : { back };
    nodes[id] = { ...node, ...(had ? { doc: good, rev: unstamped } : {}), ...kept };
  }
  return withoutUnused({ ...rollout, nodes });
}

/** The next step, or undefined where there is none now. */
export function step({ document, rollout }: Rolling, look: Look): Step | undefined {
  const { settings, members } = look;
  const news: News[] = [];
  let next: Rollout = { ...rollout, nodes: { ...rollout.nodes }, n: members.size };
  const { nodes } = next;
  let changed = false;
  const failures: { readonly node: string; readonly why: string }[] = [];
  for (const [id, node] of Object.entries(rollout.nodes)) {
    if (!isUnjudged(node)) continue;
    const verdict = look.verdicts.get(id);
    if (!members.has(id)) delete nodes[id];
    else if (!verdict) continue;
    else if (verdict.is === 'failed') failures.push({ node: id, why: verdict.why });
    else {
      nodes[id] = { rev: node.rev };
      if (!next.passed && settings.canary) news.push({ kind: 'canary', node: id });
      next = { ...next, passed: true };
    }
    changed = true;
  }
  for (const { node, why } of failures) {
    news.push({ kind: 'failed', node, why });
    next = { ...next, failed: node, why };
    nodes[node] = settings.revert
      ? putBack(listedIn(nodes, node), next.good)
      : { ...left(listedIn(nodes, node)), stage: 'failed' };
  }
  const failed = failures.at(-1);
  if (failed && isOpen(next) && mustStop(next, settings)) {
    if (settings.revert) return revertAll({ document, rollout: next }, failed.why, news);
    if (next.state !== 'stopped') news.push({ kind: 'stopped', ...failed });
    next = { ...next, state: 'stopped' };
  }
  if (mayGive(next, look)) {
    const given = giveNext(next, look, news);
    if (given) {
      next = given;
      changed = true;
    }
  }
  return changed ? { document, rollout: withoutUnused(next), news } : undefined;
}

const left = (node: RolloutNode | undefined): { rev: number; back?: string } => {
  const { rev = unstamped, back } = node ?? {};
  return { rev, ...(back === undefined ? {} : { back }) };
};

/** To what it had before, at a revision of its own. */
const putBack = (node: RolloutNode | undefined, good: string): RolloutNode => ({
  ...left(node),
  rev: unstamped,
  doc: node?.back ?? good,
  stage: 'failed',
});

function mustStop({ passed, nodes, n, state }: Rollout, { canary, abort_pct }: RolloutSettings): boolean {
  if (state === 'stopped' || (canary && !passed)) return true;
  const failed = Object.values(nodes).filter(({ stage }) => stage === 'failed').length;
  return failed * 100 > abort_pct * n;
}

function mayGive({ state, nodes, passed, failed }: Rollout, { settings, idleMs }: Look): boolean {
  if (state !== 'rolling' && state !== 'done') return false;
  if (Object.values(nodes).some(({ stage }) => stage === 'given')) return false;
  const first = !passed && failed === undefined;
  return first || idleMs >= settings.pause_s * 1000;
}

function giveNext(rollout: Rollout, look: Look, news: News[]): Rollout | undefined {
  const { settings, members, idleMs } = look;
  const nodes = { ...rollout.nodes };
  const waiting = look.waiting();
  const word = (node: string) => listedIn(nodes, node)?.rev ?? rollout.base;
  const away: string[] = [];
  const busy: Candidate[] = [];
  const ready: Candidate[] = [];
  for (const candidate of waiting) {
    const { node } = candidate;
    // The document says the same to it as the one that it has.
    if (!candidate.affected) nodes[node] = { rev: word(node) };
    else if (!candidate.online) away.push(node);
    else if (candidate.ready || wasReached(node, rollout)) ready.push(candidate);
    else busy.push(candidate);
  }
  const first = settings.canary && !rollout.passed;
  const turn = inOrder(ready, rollout).slice(0, first ? 1 : batchOf(settings.batch, members.size));
  const give = (all: readonly Candidate[], stage: 'given' | 'late') => {
    for (const { node, problems } of all) {
      const { back } = listedIn(nodes, node) ?? {};
      const was = problems.length === 0 ? {} : { was: [...problems] };
      nodes[node] = { rev: unstamped, ...(back === undefined ? {} : { back }), stage, ...was };
    }
    return { ...rollout, nodes };
  };
  if (turn.length > 0) return give(turn, 'given');
  if (rollout.state !== 'rolling') return busy.length > 0 ? give(busy, 'late') : undefined;
  const judged = rollout.passed || Object.values(nodes).some(({ stage }) => stage === 'failed');
  if (away.length + busy.length > 0 && (!judged || idleMs < awayMs)) return undefined;
  give(busy, 'late');
  // From now on who is not listed has the accepted document: who is away is, and gets it when it comes.
  for (const node of away) nodes[node] = listedIn(nodes, node) ?? { rev: rollout.base, doc: rollout.good };
  for (const node of Object.keys(nodes)) if (!members.has(node)) delete nodes[node];
  news.push({ kind: 'done' });
  return { ...rollout, nodes, state: 'done' };
}

/** Another change, whose place this one took, was given to it already. */
function wasReached(node: string, { nodes, good }: Rollout): boolean {
  const { doc = good, back = good } = listedIn(nodes, node) ?? {};
  return doc !== good && doc !== back;
}

/** First those that a change in between has reached already, last those that are not well as it is. */
function inOrder(ready: readonly Candidate[], rollout: Rollout): readonly Candidate[] {
  const rank = ({ node, problems }: Candidate): number =>
    wasReached(node, rollout) ? 0 : problems.length === 0 ? 1 : 2;
  return [...ready].sort((a, b) => rank(a) - rank(b) || (a.node < b.node ? -1 : 1));
}

/** The last good document is the accepted one again, and every node has it, or what it was put back to before. */
export function revertAll({ document, rollout }: Rolling, why: string, news: readonly News[] = []): Step {
  const { good, docs } = rollout;
  const nodes: Record<string, RolloutNode> = {};
  for (const [id, { rev, doc, back, stage }] of Object.entries(rollout.nodes)) {
    const mark = stage === 'failed' ? { stage } : {};
    if (doc === good) nodes[id] = { rev, ...mark };
    else if (back === undefined) nodes[id] = { rev: unstamped, ...mark };
    else nodes[id] = { rev: doc === back ? rev : unstamped, doc: back, stage: 'failed' };
  }
  // How changes are rolled out is as said last: that is not what failed.
  const { rollout: _, ...before } = docs[good] ?? {};
  const accepted: RoleDocument = document.rollout === undefined ? before : { ...before, rollout: document.rollout };
  const lost = { document, rev: rollout.rev };
  const next = withoutUnused({ ...rollout, nodes, state: 'reverted', why, lost });
  return {
    document: accepted,
    rollout: next,
    news: [...news, { kind: 'reverted', why, ...(next.failed === undefined ? {} : { node: next.failed }) }],
    reverted: true,
  };
}

/** Takes up again what failed where that was not put back as a whole; undefined where nothing is to be taken up. */
export function again(rollout: Rollout): Rollout | undefined {
  const { failed: _, why: __, ...rest } = rollout;
  const failed = Object.entries(rollout.nodes).filter(([, { stage }]) => stage === 'failed');
  if (failed.length === 0 || rollout.state === 'reverted') return undefined;
  const nodes = { ...rollout.nodes };
  for (const [id, { rev, doc, back }] of failed) {
    const to = back ?? (doc === rollout.good ? undefined : doc);
    const kept = to === undefined ? {} : { back: to };
    nodes[id] = doc === undefined ? { rev, ...kept, stage: 'given' } : { rev, doc, ...kept };
  }
  return { ...rest, nodes, state: rollout.state === 'stopped' ? 'rolling' : rollout.state };
}

export const waitsFor = (rollout: Rollout, node: string): boolean => {
  const listed = listedIn(rollout.nodes, node);
  return listed ? isWaiting(listed) : isOpen(rollout);
};
