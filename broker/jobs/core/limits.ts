/** Bounds and times of dispatch. Bytes and milliseconds, unless the name says otherwise. */
import { jobLimits } from '../../../shared/schemas/job.ts';

export const dispatchLimits = {
  live: jobLimits.live,
  /** Of all jobs together: each costs one byte here, a few once it failed. */
  tasks: 50_000_000,
  /** Of all documents that are kept: they stay in memory. */
  documentBytes: 128 * 1024 * 1024,
  /** Ended jobs whose results are kept, and their bytes; then the oldest go. */
  ended: 10_000,
  outBytes: 1_000_000_000,
  /** One message to a node; what is too large by itself (a document, a checkpoint) goes alone. */
  sendBytes: 240 * 1024,
  /** Of the array as text: longer ones stay here, their values go with the tasks. */
  arrayBytes: 64 * 1024,
  /** One batch of results, stored and on `out`. */
  batchBytes: 200 * 1024,
  batchResults: 1000,
  /** One result as JSON: more, and the task has failed. */
  resultBytes: 3 * jobLimits.result,
  /** Values that one reducing task gets, together. */
  reduceBytes: 200 * 1024,
  /** Values and checkpoints in memory for one recipe's next tasks. */
  prepared: 32,
  /** Tasks of a job with replicas that have some of their results but not all. */
  open: 10_000,
  /** Commit records of a recipe that are then written as one. */
  compactEvery: 2000,
  compactRanges: 20_000,
  /** How often in a row a node may give back tasks of one recipe unasked; from then on it counts as their failure. */
  returns: 3,
} as const;

export const dispatchTimes = {
  /** `is` of one job, where nothing but numbers changed. */
  isEvery: 1000,
  /** What ran on a node that is gone is started elsewhere. */
  lost: 15_000,
  /** After a restart, what ran before is held for its node. */
  held: 30_000,
  /** Longer, and it is written down that a task runs, and where. */
  ran: 1000,
  /** Results stay so long after a start at least, where they are kept so long at all. */
  keptAfterStart: 3_600_000,
  /** A node that could not do what a recipe needs gets none of it. */
  shunned: 30_000,
  backoffCap: 3_600_000,
  /** Times of further attempts are rounded up to this, so that a million of them are a few lists. */
  backoffStep: 100,
  rebalance: 100,
  speculate: 250,
  /** Tasks of class heat are looked after so often; frozen for so long they are moved, if they can be … */
  heatLook: 10_000,
  heatMove: 300_000,
  /** … and not begun after so long, asked back. */
  heatUnstarted: 30_000,
  /** How often it is asked whether a deadline is near. */
  urgencyLook: { least: 250, most: 60_000 },
  /** Without an inventory after so long in a session, and again after twice that: a node is asked for it. */
  first: 2000,
  /** A node that says nothing of a task for so long is asked what it holds. */
  ask: 60_000,
} as const;

/** Disagreements with other nodes after which a node gets no tasks at all; after the first, none of jobs with replicas. */
export const disagreements = 3;
