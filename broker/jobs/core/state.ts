/** What dispatch has in memory. All of it comes from events and from the store; nobody outside of this folder holds any. */
import type { Random } from '../../../shared/clock.ts';
import type { JobDocument, JobIs, JobState } from '../../../shared/schemas/job.ts';
import type { End, Held, Recipe } from '../../../shared/schemas/work.ts';
import type { Placer } from '../placement/placer.ts';
import type { Committed, JobEffect, NodeView } from './events.ts';
import { Journal } from './journal.ts';
import { Outgoing } from './outgoing.ts';
import type { Queue } from './queue.ts';
import type { LevelRecord } from './records.ts';
import type { Tasks } from './tasks.ts';
import { Timers } from './timers.ts';

/** Tokens are numbered inside a boot. */
export const tokensOfBoot = 2 ** 30;
export const recipesOfBoot = 2 ** 26;

export interface Asked {
  /** What it has to answer to be taken: the question's number, 0 for a session's first report that nobody asked for. */
  readonly question: number;
  /** Tokens below it were sent before, and must be in it. */
  readonly from: number;
}

export interface NodeRun {
  readonly id: string;
  view: NodeView | undefined;
  /** Undefined: offline. */
  session: { readonly inst: string; readonly epoch: number } | undefined;
  /** Sessions so far: what was meant for an earlier one is not sent. */
  sessions: number;
  /** Its first report, or the inventory that was asked for, is here: work may be sent. */
  ready: boolean;
  /** Of the next report. */
  seq: number;
  slots: number;
  credits: number;
  /** Attempts in its hands by token: what is not here is dead. */
  readonly held: Map<number, Attempt>;
  /** Recipes that this session knows. */
  readonly knows: Set<RecipeRun>;
  /** Recipes whose tasks it gave back unasked and started none since: how often, and the token of what was sent after that. */
  readonly returns: Map<RecipeRun, { readonly n: number; readonly from: number }>;
  /** Inventory in parts. */
  have: Held[] | undefined;
  /** The inventory that is due; undefined: none. */
  asked: Asked | undefined;
  askTimer: boolean;
  ranTimer: boolean;
  /** What `jobs/run/<node>` says. */
  ran: string;
  disagreed: number;
  /** Slots that tasks of class heat may use. */
  heat: number;
  /** Tasks that ran there before the restart. */
  readonly expected: Map<RecipeRun, Set<number>>;
}

export interface Attempt {
  readonly token: number;
  readonly run: RecipeRun;
  readonly index: number;
  readonly number: number;
  readonly node: NodeRun;
  /** Monotonic ms when it was sent, then when the node said it started. */
  at: number;
  started: boolean;
  /** Asked back. */
  taken: boolean;
  /** Another live attempt of the same task. */
  twin: Attempt | undefined;
  /** Of class heat, and once frozen: since when, or not now; and ms of the times before. */
  frozen?: { readonly since: number | undefined; readonly ms: number };
}

/** Copies of one task of a job with replicas. */
export interface Open {
  /** Copies to be sent now, and those after a failure's backoff. */
  wants: number;
  delayed: number;
  /** Copies so far that were not given back or lost. */
  copies: number;
  votes: {
    readonly node: NodeRun;
    readonly hash: string;
    readonly ms: number;
    readonly wh: number | undefined;
    readonly end: End | undefined;
  }[];
}

export interface RecipeRun {
  readonly r: number;
  readonly job: JobRun;
  /** As nodes get it; `heat` goes once it is urgent. */
  recipe: Recipe;
  readonly recipeBytes: number;
  /** Reduction: what its tasks get. */
  readonly below: { readonly run: RecipeRun; readonly fan: number } | undefined;
  /** Its results are the job's: on `out`. */
  readonly out: boolean;
  readonly tasks: Tasks;
  /** Values that go with the tasks, by index; undefined: the node knows, or there are none. */
  readonly value: ((index: number) => unknown) | undefined;
  /** Live attempts by index; more of the same task by `twin`. */
  readonly live: Map<number, Attempt>;
  started: number;
  /** Replicas. */
  readonly replicas: number;
  readonly agree: number;
  readonly open: Map<number, Open>;
  readonly partial: Queue<number>;
  wants: number;
  /** Values and checkpoints: see fetching.ts. */
  readonly fetch: Queue<number>;
  readonly prepared: Queue<Prepared>;
  fetching: number;
  readonly checkpoints: Set<number>;
  /** Indexes by the time they may be tried again. */
  readonly backoff: Map<number, number[]>;
  /** Reduction: batch of each task's result. */
  batchOf: Uint32Array | undefined;
  mostBytes: number;
  /** Batches of results (of levels that are not on `out`), commit records, and the first of them that is still there. */
  batches: number;
  commits: number;
  firstCommit: number;
  /** Commit records at which they become one; bytes and watt-hours in them. */
  compactAt: number;
  bytes: number;
  wh: number;
  readonly commit: Commit;
  /** Tokens up to it were revoked for good: never adopted again. */
  fence: number;
  /** Ms of the last tasks, for speculation. */
  times: number[];
  speculateTimer: boolean;
  /** What placement was told to be waiting. */
  told: number;
  readonly sentTo: Set<NodeRun>;
  /** Nodes that get none of it for now. */
  readonly shunned: Set<NodeRun>;
}

export interface Prepared {
  readonly index: number;
  readonly value: unknown;
  readonly checkpoint: string | undefined;
}

/** What is not written yet of a recipe's tasks. */
export interface Commit {
  results: { readonly text: string; readonly result: Committed; readonly valueBytes: number }[];
  again: number[];
  tries: Set<number>;
}

export interface JobRun {
  readonly id: string;
  readonly document: JobDocument;
  readonly documentBytes: number;
  readonly hash: string;
  readonly by: string;
  readonly order: number;
  readonly submittedMs: number;
  readonly n: number;
  readonly main: RecipeRun;
  readonly levels: RecipeRun[];
  readonly levelRecords: LevelRecord[];
  /** Accepted, synced, its needs are met: tasks may be sent. */
  active: boolean;
  state: JobState;
  paused: boolean;
  /** Of class heat, and its deadline is near: see heat.ts. */
  urgent: boolean;
  priority: number;
  err: string;
  lastErr: string;
  startedMs: number | undefined;
  endedMs: number | undefined;
  /** Monotonic and wall. */
  deadline: number | undefined;
  deadlineMs: number | undefined;
  readonly unmet: Set<string>;
  wh: number | undefined;
  /** Of it, what is in commit records. */
  whWritten: number;
  outs: number;
  outBytes: number;
  /** When `is` was said last; undefined: never. `said` is what it said of state and pause. */
  isAt: number | undefined;
  said: string;
  isTimer: boolean;
  /** Something has changed that was not said yet. */
  isLate: boolean;
}

export class Core {
  readonly placer: Placer;
  readonly random: Random;
  readonly timers = new Timers();
  readonly journal = new Journal();
  readonly outgoing: Outgoing;
  readonly jobs = new Map<string, JobRun>();
  readonly recipes = new Map<number, RecipeRun>();
  readonly nodes = new Map<string, NodeRun>();
  /** Jobs that wait for the key. */
  readonly waiters = new Map<string, Set<JobRun>>();
  /** In order of their end. */
  readonly ended = new Set<JobRun>();
  readonly reads = new Map<number, (values: readonly (string | undefined)[]) => void>();
  effects: JobEffect[] = [];
  now = 0;
  wall = 0;
  boot = 0;
  /** Of this boot: the next token, the next recipe. */
  tokens = 1;
  recipeCount = 1;
  /** Reserved for when this boot's tokens run out. */
  nextBoot: number | undefined;
  order = 0;
  read = 0;
  tasks = 0;
  documentBytes = 0;
  endedBytes = 0;
  queuedJobs = 0;
  runningJobs = 0;
  rebalanceTimer = false;
  heatTimer = false;
  /** Recipes that wait for heat. */
  readonly ofHeat = new Set<RecipeRun>();
  /** Attempts that are over and that placement does not know of yet. */
  left: { readonly node: NodeRun; readonly run: RecipeRun; n: number } | undefined;
  /** What has to be looked at before the step ends. */
  readonly dirtyJobs = new Set<JobRun>();
  readonly dirtyRecipes = new Set<RecipeRun>();
  readonly committing = new Set<RecipeRun>();
  readonly is = new Map<string, JobIs | undefined>();

  constructor(placer: Placer, random: Random) {
    this.placer = placer;
    this.random = random;
    this.outgoing = new Outgoing(effect => this.effects.push(effect));
  }

  event(level: 'info' | 'warn' | 'error', kind: string, text: string, node?: string): void {
    this.effects.push(
      node === undefined ? { type: 'event', level, kind, text } : { type: 'event', level, kind, node, text },
    );
  }

  /** Attempts of one node and recipe end in rows: placement is told once for each row. */
  countLeft(node: NodeRun, run: RecipeRun): void {
    if (this.left?.node === node && this.left.run === run) {
      this.left.n++;
      return;
    }
    this.tellLeft();
    this.left = { node, run, n: 1 };
  }

  tellLeft(): void {
    const left = this.left;
    this.left = undefined;
    if (left) this.placer.left(left.node.id, left.run.r, left.n);
  }

  nextToken(): number {
    return this.boot * tokensOfBoot + this.tokens;
  }

  fetch(keys: readonly string[], then: (values: readonly (string | undefined)[]) => void): void {
    const read = ++this.read;
    this.reads.set(read, then);
    this.effects.push({ type: 'read', read, keys });
  }
}

export const isOver = (job: JobRun): boolean => job.state !== 'queued' && job.state !== 'running';

/** The recipe whose tasks are worked on: the job's own, or the last level of its reduction. */
export const currentRun = (job: JobRun): RecipeRun => job.levels[job.levels.length - 1] ?? job.main;
