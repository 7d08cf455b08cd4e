import { z } from 'zod';
import { checkSeverities } from './check.ts';
import { jobStates } from './job.ts';
import { nodeState } from './observed.ts';

/** Version of {@link reportSchema}: raised where a key goes or changes its meaning, not for a new one. */
export const reportVersion = 1;

const count = z.number().int().nonnegative();
const time = z.number().describe('epoch milliseconds');

export const checkResult = z.object({
  /** `checks/disk`, or `checks/<item>:<name>` of a set's. */
  check: z.string(),
  /** As the node last said; `unknown` too where the node is offline, or has said nothing of it. */
  state: z.enum(['pass', 'fail', 'unknown']),
  severity: z.enum(checkSeverities),
  /** What it saw; of a node that is offline what it was before. */
  saw: z.string(),
  /** Last change of the state. */
  since_ms: time.optional(),
  /** What to do, by the node's document or the shipped set. */
  runbook: z.string().optional(),
});
export type CheckResult = z.output<typeof checkResult>;

export const itemResult = z.object({
  /** Such as `services/web`. */
  item: z.string(),
  state: z.string(),
  /** True: something is wrong; false: it is on its way. */
  wrong: z.boolean(),
  since_ms: time.optional(),
  /** Why it is not as wanted, or what is being done. */
  why: z.string(),
});
export type ItemResult = z.output<typeof itemResult>;

export const nodeReport = z.object({
  node: z.string(),
  online: z.boolean(),
  /** Absent where the node has never said anything. */
  state: nodeState.optional(),
  ver: z.string().optional(),
  os: z.string().optional(),
  arch: z.string().optional(),
  room: z.string().optional(),
  /** Online, at the revision that is wanted, and without an error. */
  converged: z.boolean(),
  rev: count.optional(),
  want_rev: count.optional(),
  err: z.string().optional(),
  /** Items that are as wanted. */
  items_ok: count,
  /** Those that are not. */
  items: z.array(itemResult),
  /** All of them, by name. */
  checks: z.array(checkResult),
});
export type NodeReport = z.output<typeof nodeReport>;

export const jobsReport = z.object({
  /** Jobs that are known: the running, and the ended as long as they are kept. */
  known: count,
  queued: count,
  running: count,
  succeeded: count,
  /** With rejected and timed-out ones. */
  failed: count,
  canceled: count,
  /** Energy of what ran, Wh, as far as the nodes' watts are known. */
  wh: z.number().nonnegative().optional(),
  /** Those that have not ended, or not well, the newest first; at most 50. */
  jobs: z.array(
    z.object({
      job: z.string(),
      state: z.enum(jobStates),
      tasks: count,
      succeeded: count,
      failed: count,
      wh: z.number().nonnegative().optional(),
      by: z.string(),
      err: z.string(),
    }),
  ),
});
export type JobsReport = z.output<typeof jobsReport>;

/** What `hearth report --json` prints. */
export const reportSchema = z.object({
  version: z.literal(reportVersion),
  made_ms: time,
  base: z.string(),
  /** `unknown`: there never was one on this broker. */
  supervisor: z.enum(['online', 'offline', 'unknown']),
  summary: z.object({
    nodes: count,
    online: count,
    converged: count,
    /** Items but checks that are wrong. */
    items_wrong: count,
    pass: count,
    fail: count,
    unknown: count,
    /** Of those that fail. */
    failing: z.object({ info: count, warning: count, critical: count }),
    /**
     * The weightiest thing that is wrong, as `--fail-on` counts: a check that fails by its own severity, a node that is
     * not converged or an item that is wrong `warning`, a node that is offline unasked `critical`. Absent: nothing.
     */
    worst: z.enum(checkSeverities).optional(),
  }),
  nodes: z.array(nodeReport),
  /** Absent where there are none, or only one node is reported. */
  jobs: jobsReport.optional(),
});
export type Report = z.output<typeof reportSchema>;
