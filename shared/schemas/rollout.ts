/** How a change to a role goes from node to node, and what the supervisor says about it. */
import { z } from 'zod';

/** What holds where a role does not say it. */
export const rolloutDefaults = {
  batch: '25%',
  pause_s: 0,
  healthy_s: 5,
  deadline_s: 300,
  abort_pct: 0,
  canary: true,
  revert: true,
} as const;

const dayS = 86_400;
const percent = /^(?:100|[1-9][0-9]?)%$/;
const sentence = 'a number of nodes, such as 2, or a share of them, such as "25%"';
const count = z.number().int(sentence).min(1, 'at least one node').max(10_000, 'at most 10000 nodes');
const batch = z.union([count, z.string().regex(percent, sentence)], sentence);
/** A bare payload comes as text: `2` is a number of nodes there, too. */
const batchInput = z.union(
  [
    count,
    z
      .string()
      .regex(/^(?:(?:100|[1-9][0-9]?)%|[1-9][0-9]{0,3})$/, sentence)
      .transform(text => (text.endsWith('%') ? text : Number(text))),
  ],
  sentence,
);

const fields = {
  /** Nodes that may have the new document and not be judged yet: a number, or a share of the role's nodes. At least one. */
  batch: batch.optional(),
  /** Seconds between a batch that is well and the next. */
  pause_s: z.number().min(0, 'at least 0 seconds').max(dayS, 'at most a day (86400 seconds)').optional(),
  /** Seconds for which a node must be well without interruption. */
  healthy_s: z.number().min(0, 'at least 0 seconds').max(3600, 'at most an hour (3600 seconds)').optional(),
  /** Seconds in which it must have come so far. */
  deadline_s: z.number().min(1, 'at least one second').max(dayS, 'at most a day (86400 seconds)').optional(),
  /** Share of the role's nodes that may fail, each put back by itself, before everything stops. */
  abort_pct: z.number().min(0, 'at least 0').max(100, 'at most 100').optional(),
  /** One node first; if it fails, everything stops. */
  canary: z.boolean().optional(),
  /** What fails is put back to its previous document. */
  revert: z.boolean().optional(),
};
const inTime = (said: { healthy_s?: number | undefined; deadline_s?: number | undefined }) =>
  (said.healthy_s ?? rolloutDefaults.healthy_s) < (said.deadline_s ?? rolloutDefaults.deadline_s);
const late = { message: 'must be more than healthy_s', path: ['deadline_s'] };
const either = 'an object, or "off": all nodes at once';
const off = z.string().regex(/^off$/, either);

/** `rollout` of a role's document. */
export const rolloutSchema = z.union([off, z.strictObject(fields).refine(inTime, late)], either);
/** The same as people may write it. */
export const rolloutInput = z.union(
  [off, z.strictObject({ ...fields, batch: batchInput.optional() }).refine(inTime, late)],
  either,
);
export type RolloutWords = z.output<typeof rolloutSchema>;

export interface RolloutSettings {
  readonly batch: number | string;
  readonly pause_s: number;
  readonly healthy_s: number;
  readonly deadline_s: number;
  readonly abort_pct: number;
  readonly canary: boolean;
  readonly revert: boolean;
}

/** What holds for a role; undefined: a change reaches all of its nodes at once. */
export function rolloutSettings(said: RolloutWords | undefined): RolloutSettings | undefined {
  if (typeof said === 'string') return undefined;
  const known = Object.entries(said ?? {}).filter(([, value]) => value !== undefined);
  return { ...rolloutDefaults, ...Object.fromEntries(known) };
}

/** Nodes that `batch` allows of `n`. */
export function batchOf(batch: number | string, n: number): number {
  const most = typeof batch === 'number' ? batch : Math.floor((n * Number.parseInt(batch, 10)) / 100);
  return Math.max(1, most);
}

export const rolloutStates = ['rolling', 'paused', 'done', 'stopped', 'reverted'] as const;
export type RolloutState = (typeof rolloutStates)[number];

/** `hearth/role/<r>/is`, retained and flat: the rollout under way, or the last one. */
export const roleIsPayload = z.object({
  role: z.string().max(20),
  state: z.enum(rolloutStates),
  /** Revision of the change that is, or was, rolled out. */
  rev: z.number().int().nonnegative(),
  /** How many nodes the role has. */
  nodes: z.number().int().nonnegative(),
  /** How many of them are well with the new document. */
  ok_n: z.number().int().nonnegative(),
  failed_n: z.number().int().nonnegative(),
  /** Nodes that have the new document and are not judged yet, comma-joined, cut. */
  current: z.string().max(400),
  /** The node that failed last, `""` for none. */
  failed: z.string().max(20),
  /** Why it failed, or why the rollout is not going on; `""` for nothing. */
  why: z.string().max(400),
  /** Epoch milliseconds of the start. */
  since_ms: z.number(),
});
export type RoleIs = z.output<typeof roleIsPayload>;
