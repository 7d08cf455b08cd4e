/**
 * Carries rollouts out: looks at the nodes once a second, and makes every step of the core (core.ts) one change of the
 * journal. What nodes are told follows from that, once it is synced.
 */
import type { Clock } from '../../shared/clock.ts';
import { ok, type Result } from '../../shared/errors.ts';
import type { RoleDocument } from '../../shared/schemas/node-document.ts';
import { rolloutDefaults, rolloutSettings } from '../../shared/schemas/rollout.ts';
import { type NodeEntry, type RoleEntry, type Roles, rolesOf, seenBy } from '../desired/compile.ts';
import type { Change, Journal, Touched } from '../desired/journal.ts';
import type { Wants } from '../desired/wants.ts';
import type { Events } from '../fleet/events.ts';
import type { FleetReader } from '../fleet/fleet.ts';
import { begin, type Candidate, type Look, type News, type Step, step, waitsFor } from './core.ts';
import { problemsOf, type Verdict, type Watched, watch } from './health.ts';
import { changedItems, isOpen, isUnjudged, isWaiting, type Rollout, stamped, wordFor } from './record.ts';
import { newsText } from './shown.ts';

export interface RolloutsParts {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly wants: Wants;
  readonly events: Pick<Events, 'emit'>;
  readonly fleet: Pick<FleetReader, 'get'>;
  /** Whether this supervisor hears its nodes and may tell them something. */
  mayAct(): boolean;
}

/** A role's change, as the journal takes it. */
export type Planned = Pick<Extract<Change, { noun: 'role' }>, 'entry' | 'also'>;
type Submitted = Parameters<Journal['submit']>[1];

/** Between two looks; longer than that and the supervisor was not there itself: nobody's time runs meanwhile. */
const lateMs = 5000;
/** A disk that took a step not is asked again after this. */
const againMs = 10_000;
/** Problems of one node that are kept in the journal. */
const mostProblems = 20;

interface Watching {
  /** Of the rollout. */
  readonly rev: number;
  idleSince: number;
  readonly nodes: Map<string, Watched>;
}

export class Rollouts {
  readonly #parts: RolloutsParts;
  readonly #watching = new Map<string, Watching>();
  /** Roles whose last step waits for the disk, or failed there: monotonic time of the next try. */
  readonly #busy = new Map<string, number>();
  /** What is told once the record is synced. */
  readonly #news = new WeakMap<Rollout, readonly News[]>();
  #lookedAt: number | undefined;

  constructor(parts: RolloutsParts) {
    this.#parts = parts;
  }

  /**
   * How a role's new document is accepted: from node to node, or at once where the role says so, has no more than one
   * node, or what its nodes obey stays the same; and where it is the last good one again: that is no risk, and urgent.
   */
  plan(role: string, before: RoleEntry, document: RoleDocument): Result<Planned> {
    const { wants, clock } = this.#parts;
    const settings = rolloutSettings(document.rollout);
    const last = before.rollout;
    if (!before.gone && changedItems(before.document, document).size === 0 && (settings || !last)) {
      // Nothing that a node hears of.
      const kept = last ? { rollout: last } : { heard: before.heard ?? before.rev };
      return ok({ entry: rev => ({ document, rev, ...kept }) });
    }
    const members = wants.members(role);
    const good = last && isOpen(last) ? last.docs[last.good] : undefined;
    const isBack = good !== undefined && changedItems(good, document).size === 0;
    const rollout = begin(before, members.length, clock.wall());
    const waiting = settings ? this.#waiting(role, members, document, rollout) : [];
    if (!settings || members.length <= 1 || isBack || !waiting.some(({ affected }) => affected)) {
      const also = wants.changedRole(role, { document, rev: 0 });
      return also.ok ? ok({ entry: { document }, also: also.value }) : also;
    }
    const look: Look = { settings, members: new Set(members), verdicts: new Map(), waiting: () => waiting, idleMs: 0 };
    const first = step({ document, rollout }, look) ?? { document, rollout, news: [] };
    const also = wants.changedRole(role, { ...first, rev: 0 });
    if (!also.ok) return also;
    const news: News[] = [{ kind: 'started' }, ...first.news];
    return ok({ entry: this.#entry(before, { ...first, news }, true), also: also.value });
  }

  /** A step that somebody asked for. */
  submit(role: string, before: RoleEntry, next: Step, by: string | undefined, key: string, done: Submitted): void {
    const { journal, wants, clock } = this.#parts;
    const { document, rollout } = next;
    const also = wants.kept(role, { document, rev: 0, rollout });
    const entry = this.#entry(before, next, next.reverted === true);
    journal.submit({ noun: 'role', id: role, entry, also, what: 'rollout', key, by, atMs: clock.wall() }, done);
  }

  /** Judges anew from now on. */
  forgetWatched(role: string): void {
    this.#watching.delete(role);
  }

  /** Tells what a batch that is synced brought. */
  synced({ roles }: Touched): void {
    for (const [role, { rollout }] of roles) {
      for (const news of (rollout && this.#news.get(rollout)) ?? []) {
        if (!rollout) continue;
        const { level, kind, text } = newsText(role, news, rollout);
        this.#parts.events.emit(level, kind, text, news.node);
      }
      if (rollout) this.#news.delete(rollout);
    }
  }

  /** To be called once a second. */
  tick(): void {
    if (!this.#parts.mayAct()) return;
    const now = this.#parts.clock.now();
    const gap = now - (this.#lookedAt ?? now);
    this.#lookedAt = now;
    if (gap > lateMs) this.#forgive(gap);
    const { roles } = this.#parts.journal;
    for (const [role, entry] of roles) if (entry.rollout) this.#look(role, entry, entry.rollout, now);
    for (const role of this.#watching.keys()) if (!roles.get(role)?.rollout) this.#watching.delete(role);
  }

  #look(role: string, entry: RoleEntry, rollout: Rollout, now: number): void {
    const listed = Object.entries(rollout.nodes);
    const unjudged = listed.filter(([, node]) => isUnjudged(node));
    const moves = rollout.state === 'rolling' || unjudged.length > 0;
    if (!moves && !(rollout.state === 'done' && listed.some(([, node]) => isWaiting(node)))) return;
    if ((this.#busy.get(role) ?? 0) > now) return;
    const { wants, fleet } = this.#parts;
    const watching = this.#watchingOf(role, rollout, now);
    const settings = rolloutSettings(entry.document.rollout) ?? rolloutDefaults;
    const verdicts = new Map<string, Verdict>();
    const watched = new Map(watching.nodes);
    watching.nodes.clear();
    for (const [id, node] of unjudged) {
      const { online = false, is } = fleet.get(id) ?? {};
      const seen = watch(watched.get(id), node, { online, is }, settings, now);
      watching.nodes.set(id, seen.watched);
      if (!seen.verdict) continue;
      verdicts.set(id, seen.verdict);
      watching.idleSince = now;
    }
    const members = wants.members(role);
    const next = step(
      { document: entry.document, rollout },
      {
        settings,
        members: new Set(members),
        verdicts,
        waiting: () => this.#waiting(role, members, entry.document, rollout),
        idleMs: now - watching.idleSince,
      },
    );
    if (!next) return;
    this.#busy.set(role, Number.POSITIVE_INFINITY);
    this.submit(role, entry, next, undefined, '', error => {
      if (error) this.#busy.set(role, this.#parts.clock.now() + againMs);
      else this.#busy.delete(role);
    });
  }

  #watchingOf(role: string, { rev }: Rollout, now: number): Watching {
    const known = this.#watching.get(role);
    if (known?.rev === rev) return known;
    const watching = { rev, idleSince: now, nodes: new Map() };
    this.#watching.set(role, watching);
    return watching;
  }

  #forgive(ms: number): void {
    for (const watching of this.#watching.values()) {
      watching.idleSince += ms;
      for (const [node, { since, wellSince, ...rest }] of watching.nodes) {
        const later = (at: number | undefined) => (at === undefined ? undefined : at + ms);
        watching.nodes.set(node, { ...rest, since: later(since), wellSince: later(wellSince) });
      }
    }
  }

  #waiting(role: string, members: readonly string[], document: RoleDocument, rollout: Rollout): readonly Candidate[] {
    const { journal, fleet } = this.#parts;
    const differs = new Map<RoleDocument, ReadonlySet<string>>();
    const out: Candidate[] = [];
    for (const node of members) {
      const entry = journal.nodes.get(node);
      if (!entry || !waitsFor(rollout, node)) continue;
      const { document: had } = wordFor({ document, rev: 0, rollout }, node);
      const changed = differs.get(had) ?? changedItems(had, document);
      differs.set(had, changed);
      const { online = false, is, want_rev = 0 } = fleet.get(node) ?? {};
      const keys = problemsOf(is, want_rev).map(({ key }) => key);
      const ready = !keys.includes('stale');
      out.push({
        node,
        online,
        ready,
        affected: concerns(role, changed, node, entry, journal.roles),
        problems: keys.filter(key => key !== 'stale' && !changed.has(key)).slice(0, mostProblems),
      });
    }
    return out;
  }

  /** @param isChange the accepted document is another one: its revision, too. */
  #entry(before: RoleEntry, { document, rollout, news }: Step, isChange: boolean): (rev: number) => RoleEntry {
    // What came before it in the same batch is told with it.
    const untold = (before.rollout && this.#news.get(before.rollout)) ?? [];
    return rev => {
      const made = stamped(rollout, rev);
      this.#news.set(made, [...untold, ...news]);
      return { document, rev: isChange ? rev : before.rev, rollout: made };
    };
  }
}

/** Whether the node obeys anything of what changes: not where its own document, or a role before `all`, says it anyhow. */
function concerns(role: string, changed: ReadonlySet<string>, node: string, entry: NodeEntry, all: Roles): boolean {
  const roles = seenBy(node, all);
  const above: object[] = [entry.document];
  if (role === 'all') for (const other of rolesOf(entry)) above.push(roles.get(other)?.document ?? {});
  return [...changed].some(path => !above.some(document => says(document, path)));
}

function says(document: object, path: string): boolean {
  const [key = '', ...rest] = path.split('/');
  const value = Object.hasOwn(document, key) ? (document as Readonly<Record<string, unknown>>)[key] : undefined;
  if (rest.length === 0 || value === undefined) return value !== undefined;
  return typeof value === 'object' && value !== null && Object.hasOwn(value, rest.join('/'));
}
