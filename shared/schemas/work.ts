/**
 * Job work between supervisor and node: `work` there, `done` back. Batches, not messages, carry it. Tasks are numbered
 * inside their recipe; an attempt of one is known by its token, which no other attempt ever has.
 */
import { z } from 'zod';
import { jobLimits } from './job.ts';

/** Never used twice in the life of a data folder. */
const token = z.number().int().positive().max(Number.MAX_SAFE_INTEGER);
const recipeId = z.number().int().positive().max(Number.MAX_SAFE_INTEGER);
const index = z.number().int().nonnegative().max(jobLimits.tasks);
/** `[first, n]`: that token and the n - 1 that follow it. */
const tokens = z.tuple([token, z.number().int().positive().max(jobLimits.batch)]);
export type TokenSpan = z.output<typeof tokens>;

/**
 * What a node has to know of a job to run its tasks; sent once per session, before the first of them. A job has one, its
 * reduction another. The keys that are not explained here are those of the job's document.
 */
export const recipePayload = z.object({
  r: recipeId,
  job: z.string().max(64),
  /** Who sent it. */
  by: z.string().max(64),
  /** Tasks of the recipe. */
  n: z.number().int().positive(),
  run: z.union([z.string(), z.array(z.string())]).optional(),
  plugin: z.string().optional(),
  /** Pinned: `npm:NAME@1.2.3` with `integrity` and where it is, or `artifact:SHA256`. */
  package: z.string().optional(),
  integrity: z.string().optional(),
  /** The artifact that is its package-lock.json: what it depends on, to the byte. */
  lock: z
    .string()
    .regex(/^artifact:[0-9a-f]{64}$/)
    .optional(),
  main: z.string().optional(),
  scripts: z.boolean().optional(),
  code: z.string().optional(),
  grant: z.object({ net: z.boolean().optional() }).optional(),
  /** The values come from here, by index; absent: they come with the tasks, where there are any. */
  array: z.unknown().optional(),
  /** The array is too long for a message: the values that come with the tasks are its values by name of dimension. */
  named: z.boolean().optional(),
  common: z.unknown().optional(),
  stdin: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  cwd: z.string().optional(),
  inputs: z.record(z.string(), z.unknown()).optional(),
  outputs: z.record(z.string(), z.string()).optional(),
  timeout_s: z.number(),
  cpus: z.number().int().positive(),
  mem_mb: z.number().optional(),
  /** Its tasks get lists of results (see `reduce` of the document). */
  reduce: z.boolean().optional(),
  /** Of class `heat`: runs only as far as heat is asked of the node, and is frozen where it is not any more. */
  heat: z.boolean().optional(),
});
export type Recipe = z.output<typeof recipePayload>;

/** Tasks in a row, of one recipe, each with its own token. */
export const spanPayload = z.object({
  /** Token of the first; the next has the next. */
  t: token,
  r: recipeId,
  /** Index of the first. */
  i: index,
  n: z.number().int().positive().max(jobLimits.batch),
  /** Attempt, 1 for the first; of all of them. */
  a: z.number().int().positive(),
  /** Values, one for each, where the recipe has no array. */
  v: z.array(z.unknown()).optional(),
  /** What an earlier attempt saved, base64; only where n is 1. */
  cp: z.string().optional(),
});
export type WorkSpan = z.output<typeof spanPayload>;

/**
 * To one node. Bound to one session, like an order; `seq` rises with every message of it, also where a supervisor has begun
 * anew on an outside broker while the session went on.
 */
export const workPayload = z.object({
  cluster: z.string().regex(/^[0-9a-f]{32}$/),
  gen: z.number().int().nonnegative(),
  rev: z.number().int().nonnegative(),
  inst: z.string().max(32),
  epoch: z.number().int().nonnegative(),
  seq: z.number().int().nonnegative(),
  /** The whole is signed, and this is the cluster's public key. */
  key: z.string().max(64).optional(),
  /**
   * What follows in this session comes without a signature: said, signed, by a supervisor whose own broker this is. Without
   * that word every message of a session has to be signed, as on an outside broker.
   */
  plain: z.boolean().optional(),
  recipes: z.array(recipePayload).optional(),
  spans: z.array(spanPayload).optional(),
  /** Committed, or refused for good: results with these tokens may be forgotten. */
  ack: z.array(tokens).optional(),
  /** Must not run any more: what has not started is dropped, what runs is ended, and nothing is said about it. */
  revoke: z.array(tokens).optional(),
  /** May be wanted elsewhere: what has not started of these is given back (`returned`). */
  take: z.array(tokens).optional(),
  /** Recipes that are over. */
  forget: z.array(recipeId).optional(),
  /** Recipes of class `heat` that wait for no heat any more: what there is of them runs as everything else does. */
  urgent: z.array(recipeId).optional(),
  /** Say everything again: see `have`. */
  inventory: z.boolean().optional(),
  /** Number of that question, to be said with its answer: one that comes late must not be taken for a later one's. */
  question: token.optional(),
});
export type Work = z.output<typeof workPayload>;

/** Why an attempt did not succeed. `lost` and `busy` are no fault of the task. */
export const failures = ['exit', 'signal', 'error', 'timeout', 'memory', 'output', 'setup', 'denied', 'lost'] as const;
export type Failure = (typeof failures)[number];

/** How one attempt ended, in full. */
export const endPayload = z.object({
  /** Absent: it succeeded. `setup`: an input, package or plugin could not be had; `lost`: its process vanished with the machine's restart or its host. */
  why: z.enum(failures).optional(),
  /** One sentence. */
  err: z.string().max(2000).optional(),
  /** What a plugin, package or code gave back. */
  value: z.unknown().optional(),
  /** Of a command: exit status or signal, output and errors (the last part of what was longer). */
  exit: z.number().int().optional(),
  signal: z.string().max(16).optional(),
  out: z.string().optional(),
  errout: z.string().optional(),
  /** Whole, where they are longer than a message holds: SHA-256 of the artifact. */
  out_sha256: z.string().optional(),
  /** Files it left, by the output's name: SHA-256. */
  files: z.record(z.string(), z.string()).optional(),
});
export type End = z.output<typeof endPayload>;

/**
 * One attempt's end: token, its own time, its share of the node's time (the integral over its time of 1 / tasks that ran
 * on the node: what its part of the energy goes by), both ms; then nothing for a success that gave back nothing, else how.
 */
export const resultPayload = z.tuple([
  token,
  z.number().nonnegative(),
  z.number().nonnegative(),
  endPayload.optional(),
]);
export type WorkResult = z.output<typeof resultPayload>;

/** One attempt that a node holds: token, recipe, index, attempt, and 0 it waits, 1 it runs, 2 it has ended and its result follows. */
export const heldPayload = z.tuple([
  token,
  recipeId,
  index,
  z.number().int().positive(),
  z.union([z.literal(0), z.literal(1), z.literal(2)]),
]);
export type Held = z.output<typeof heldPayload>;

/** From one node; on its `done`, told from answers to orders by having no `id`. */
export const reportPayload = z.object({
  inst: z.string().max(32),
  epoch: z.number().int().nonnegative(),
  /** Rises by one with every report of a session, from 0. */
  seq: z.number().int().nonnegative(),
  /** Tasks at the same time that the node is made for. */
  slots: z.number().int().nonnegative().max(4096),
  /** Slots of tasks that it would take beyond what it holds; 0 where its outbox is full, or it is drained or in safe mode. */
  credits: z.number().int().nonnegative().max(1_000_000),
  /** Everything the node holds. In the first report of a session (`seq` 0), and when asked; `more`: it goes on in the next report. */
  have: z.array(heldPayload).optional(),
  more: z.boolean().optional(),
  /** Of `have`: the number of the question it answers, 0 where nobody asked. */
  answers: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER).optional(),
  started: z.array(tokens).optional(),
  results: z.array(resultPayload).optional(),
  /** Not started, and not going to be. */
  returned: z.array(tokens).optional(),
  /** Of class `heat`, begun and frozen at the moment: all of them, whenever these are others. */
  frozen: z.array(tokens).optional(),
  /** Bytes that tasks saved, base64. */
  checkpoints: z.array(z.tuple([token, z.string().max(jobLimits.checkpoint * 2)])).optional(),
});
export type Report = z.output<typeof reportPayload>;
