/**
 * The seam between the dispatch core, which knows tasks, and placement, which knows nodes: who of those that wait is
 * next, and where. Pure; the same calls give the same choices.
 */
import type { Policy } from '../../../shared/schemas/job.ts';
import type { NodeView } from '../core/events.ts';

/** What placement has to know of a recipe; what changes meanwhile comes by calls. */
export interface RecipeView {
  readonly r: number;
  readonly job: string;
  readonly by: string;
  readonly priority: number;
  /** Monotonic ms; absent: none. Among equals the earlier goes first. */
  readonly deadline?: number;
  /** Accepted earlier goes first, after that. */
  readonly order: number;
  readonly where?: string;
  readonly policy: Policy;
  readonly cpus: number;
  readonly memMb?: number;
  readonly batch: number;
  readonly maxParallel?: number;
  /** What is to be run: speeds are measured per kind (`run:blender`, `plugin:noop`, `package:npm:sharp`, `code`). */
  readonly kind: string;
  readonly needs: 'run' | 'plugin' | 'package' | 'code';
  readonly plugin?: string;
  /** Waits for heat: goes only to nodes of which some is asked, as far as that is. */
  readonly heat?: boolean;
}

export interface WhyNot {
  readonly node: string;
  /** Absent: it may run there. One clause: `zone is "cellar", not "attic"`. */
  readonly why?: string;
}

export interface Placer {
  /** A node came or changed; undefined: it went. */
  node(id: string, view: NodeView | undefined): void;
  /** A session's word: slots, and what it would take beyond what it holds; undefined: offline. */
  room(node: string, slots: number, credits: number): void;
  offline(node: string): void;
  /** A recipe came or changed (priority, paused is `waiting` 0). */
  recipe(view: RecipeView): void;
  gone(r: number): void;
  /** Tasks of it that may be sent now, of all of them: giving some changes nothing of it before it is said again. */
  waiting(r: number, n: number): void;
  /** `n` attempts of it were sent to the node, or are there no more (ended, revoked, given back, lost with it). */
  given(node: string, r: number, n: number): void;
  left(node: string, r: number, n: number): void;
  /** Of one ended attempt: its own time, and energy where known. */
  measured(node: string, r: number, ms: number, wh: number | undefined): void;
  /** The next batch, or nothing can be sent now. The caller gives it (at most `n`, at least one), or calls `skip`. */
  next(now: number): { readonly node: string; readonly r: number; readonly n: number } | undefined;
  /** None of its waiting tasks may go to that node now (replicas of all of them are there): not offered again before one of the other calls says something new of either. */
  skip(node: string, r: number): void;
  /** For one more copy of a task: the best node with room that is none of these. */
  other(r: number, except: ReadonlySet<string>, now: number): string | undefined;
  /** Idle nodes, and who has more waiting in hand than it starts soon: how many tasks of which recipe to take back from whom. */
  rebalance(now: number): readonly { readonly node: string; readonly r: number; readonly n: number }[];
  /** For each node why it gets none of this. */
  explain(view: RecipeView): readonly WhyNot[];
  /** Expected ms until `n` tasks of it are done on the nodes that there are, if they do nothing else; undefined: never measured. */
  lasts(r: number, n: number): number | undefined;
  /** Whether heat is asked of some node that may run it. */
  heated(r: number): boolean;
  /** Tasks of class heat that wait and that the node may run, whether heat is asked of it or not. */
  heatFor(node: string): number;
  /** Weights of submitters; who is not named has 1. */
  shares(weights: ReadonlyMap<string, number>): void;
  /** Expected ms of one task of the kind on that node; undefined: never measured. */
  expected(node: string, r: number): number | undefined;
}
