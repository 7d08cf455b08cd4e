import { z } from 'zod';

/** What one item (a service) is doing, as the node sees it. */
export const itemStatus = z.object({
  /** `starting running stopping stopped exited backoff crash-loop failed` for a service. */
  state: z.string().max(20),
  pid: z.number().int().positive().optional(),
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
