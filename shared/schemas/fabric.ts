import { z } from 'zod';
import { wattsSources } from './heat.ts';

/** The answer to every `set` and `do`. */
export const resultPayload = z.object({
  ok: z.boolean(),
  /** `set` or `do`. */
  part: z.string().max(16),
  /** Key path of the `set` with dots, or verb of the `do`. */
  key: z.string().max(600).optional(),
  /** What was sent, cut at 64 characters. */
  value: z.string().max(64).optional(),
  error: z.string().max(500).optional(),
  /** The journal sequence after it, where something was accepted. */
  rev: z.number().int().nonnegative().optional(),
  /** Client id of the sender, where the broker tells. */
  by: z.string().max(64).optional(),
  at_ms: z.number(),
  /** Echo of the sender's own mark. */
  tx: z.string().max(64).optional(),
  /** A `do`: `accepted`, then `finished`. */
  state: z.enum(['accepted', 'finished']).optional(),
  /** A `do` to a group: how many nodes, how many did it, and who did not (comma-joined). */
  n: z.number().int().nonnegative().optional(),
  ok_n: z.number().int().nonnegative().optional(),
  failed: z.string().max(500).optional(),
  /** Of a job: this very document was accepted before. */
  again: z.boolean().optional(),
  /** `do/explain` of a job: what holds the whole of it; nothing where its tasks may be sent. */
  why: z.string().max(500).optional(),
  /** The same: for each node why none of its tasks would run there; nothing where one would. */
  explain: z.array(z.object({ node: z.string().max(20), why: z.string().max(300).optional() })).optional(),
  /** Where no valid address could be told: the topic, escaped and cut. */
  topic: z.string().max(130).optional(),
});
export type ResultMessage = z.output<typeof resultPayload>;

export const eventPayload = z.object({
  at_ms: z.number(),
  level: z.enum(['info', 'warn', 'error']),
  /** A stable word, such as `node-online`, `twin`, `crash-loop`. */
  kind: z.string().max(40),
  node: z.string().max(20).optional(),
  text: z.string().max(500),
});
export type FabricEvent = z.output<typeof eventPayload>;

/** `<base>/audit` and a line of `logs/audit.log`: who changed what. Never a secret. */
export const auditPayload = z.object({
  at_ms: z.number(),
  who: z.string().max(64),
  how: z.enum(['owner', 'password', 'token', 'certificate', 'none', 'rule']),
  from: z.string().max(64),
  what: z.string().max(64),
  target: z.string().max(200),
  ok: z.boolean(),
  detail: z.string().max(300).optional(),
});

/** `<base>/info`, every 10 s, flat. */
export const fabricInfo = z.object({
  ver: z.string(),
  nodes: z.number().int(),
  online: z.number().int(),
  cores: z.number().int(),
  /** What all machines draw, as far as it is known. */
  watts: z.number().optional(),
  /** The least certain that the sum is made of. */
  watts_source: z.enum(wattsSources).optional(),
  jobs_queued: z.number().int(),
  jobs_running: z.number().int(),
});
export type FabricInfo = z.output<typeof fabricInfo>;
