import { z } from 'zod';

/** What one item (a service, package, file or check) is doing, as the node sees it. */
export const itemStatus = z.object({
  /**
   * A service: `waiting scheduled starting running stopping stopped exited backoff crash-loop failed`. A package or file:
   * `ok changing waiting drifted failed`. A check: `pass fail unknown`.
   */
  state: z.string().max(20),
  /** What is being done about it just now: `installing chuffed 0.10.4`. */
  doing: z.string().max(160).optional(),
  /** Version that is installed. */
  ver: z.string().max(128).optional(),
  /** How it differs from what was said, as a unified diff, cut. Never of what may hold a secret. */
  diff: z.string().max(600).optional(),
  /** Of a check: what its failing means. */
  severity: z.enum(['info', 'warning', 'critical']).optional(),
  /** Of a check: what it saw, one line. */
  saw: z.string().max(200).optional(),
  pid: z.number().int().positive().optional(),
  /** Of a service that runs and has a health check: what the check says. */
  health: z.enum(['starting', 'healthy', 'unhealthy']).optional(),
  /** Epoch milliseconds of the last change of state. */
  since_ms: z.number().optional(),
  /** Starts after the first, since the item was last changed. */
  restarts: z.number().int().nonnegative().optional(),
  /** Exit code of the last run. */
  exit: z.number().int().optional(),
  /** Signal that ended the last run, such as `KILL`. */
  signal: z.string().max(12).optional(),
  /** Epoch milliseconds of the next try, while it waits for one. */
  next_ms: z.number().optional(),
  /** What of a service's limits this machine does not enforce, and why. */
  note: z.string().max(200).optional(),
  /** Why it is not as wanted. */
  err: z.string().max(300).optional(),
});
export type ItemStatus = z.output<typeof itemStatus>;

export const nodeState = z.enum(['init', 'ready', 'draining', 'sleeping', 'failed', 'left']);

/** `is`: what the node is. Converged when `rev` is the `want`'s and `err` is empty. */
export const isPayload = z.object({
  node: z.string().max(20),
  epoch: z.number().int(),
  state: nodeState,
  /** The last `want` whose every step was attempted. */
  rev: z.number().int().nonnegative(),
  err: z.string().max(500),
  ver: z.string().max(32),
  /** Keyed by path, such as `services/hello`. */
  items: z.record(z.string().max(140), itemStatus),
});
export type Is = z.output<typeof isPayload>;
