import { z } from 'zod';

const epoch = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const inst = z.string().regex(/^[0-9a-f]{8,32}$/);

/** Birth (`online:true`), farewell and last will (`online:false`). Never retained. */
export const lwtPayload = z.object({
  epoch,
  inst,
  online: z.boolean(),
  /** How often `load` or `heartbeat` comes. */
  period_ms: z.number().int().min(500).max(3_600_000),
  proto: z.number().int().min(1).max(1000),
});
export type Lwt = z.output<typeof lwtPayload>;

/** A sign of life between loads. */
export const heartbeatPayload = z.object({ node: z.string().max(20), epoch, seq: z.number().int().nonnegative() });

/** The supervisor's call for births, at every start and reconnect. */
export const helloPayload = z.object({
  cluster: z.string().regex(/^[0-9a-f]{32}$/),
  /** Random per supervisor process: a hello with another one on the same base is a second supervisor. */
  boot: z.string().max(32),
  gen: z.number().int().nonnegative(),
  rev: z.number().int().nonnegative(),
  ver: z.string().max(32),
  proto: z.number().int(),
  at_ms: z.number(),
  /**
   * How firmly the sender stands, for two supervisors that meet on an outside broker: `probing` asks whether it is alone
   * and has written nothing yet, `returning` has just come back to the broker, `settled` (the default) is neither.
   */
  standing: z.enum(['probing', 'returning', 'settled']).optional(),
  /** Serial of the trust bundle: a node that knows a lower one fetches it. */
  bundle: z.number().int().nonnegative().optional(),
});
export type Hello = z.output<typeof helloPayload>;

/** `<base>/status` and `node/<id>/status`. */
export const statusPayload = z.enum(['online', 'offline']);
export type Status = z.output<typeof statusPayload>;
