/** A job as people write it: what is to be done, over which values, where, and what happens when it fails. */
import { z } from 'zod';
import { isItemName, isJobId } from '../names.ts';
import { sha256Schema } from './file.ts';

/** Of one job. Sizes are bytes, times seconds, unless the name says otherwise. */
export const jobLimits = {
  /** Jobs that have not ended. */
  live: 100_000,
  /** Tasks of one job: all combinations of its array. */
  tasks: 10_000_000,
  /** Of one task's value, or of one item. */
  value: 64 * 1024,
  /** What one task may give back in its message: value, or output and errors. More goes to the artifact store. */
  result: 64 * 1024,
  /** One checkpoint. */
  checkpoint: 256 * 1024,
  /** Inline code. */
  code: 128 * 1024,
  /** Jobs that one job waits for. */
  needs: 100,
  /** Tasks in one message to a node. */
  batch: 1000,
  /** Ids of jobs that are gone; of more the oldest may be taken again. */
  remembered: 10_000_000,
  /** Attempts that ended because their node was lost: more, and the task is taken to be the reason. */
  losses: 5,
} as const;

export const jobIdSchema = z.string().refine(isJobId, 'not a job id: use 1 to 64 of a-z, 0-9 and "-"');
/** Names in `{…}`, and of inputs and outputs: they become variables of the environment, too. */
const nameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,31}$/, 'not a name: a-z first, then a-z, 0-9 and "_", 32 characters at most');
const pluginName = z.string().refine(isItemName, 'not a name: use 1 to 64 of A-Z a-z 0-9 . _ @ : ~ -');

/**
 * The values of one dimension: ranges as text (`1-1000`, `0-100:5`, `1-3,7,9`), a list of texts or numbers, or the lines
 * of an artifact, which is read once when the job is accepted. Globs and local files are expanded by who submits.
 */
export const dimensionSchema = z.union(
  [
    z.string().min(1).max(4096),
    z.array(z.union([z.string().max(jobLimits.value), z.number()])).min(1),
    z.strictObject({ lines: z.string().regex(/^artifact:[0-9a-f]{64}$/, 'artifact:SHA256') }),
  ],
  'ranges such as 1-100, a list, or {"lines":"artifact:SHA256"}',
);
/** One dimension without a name (it is called `i`), or several with names: then every combination, the last one fastest. */
export const arraySchema = z.union([dimensionSchema, z.record(nameSchema, dimensionSchema)]);
export type JobArray = z.output<typeof arraySchema>;

const argument = z.string().max(16 * 1024);
const sourceSchema = z.union([
  z.string().regex(/^artifact:[0-9a-f]{64}$/, 'artifact:SHA256, or an object with "url" and "sha256"'),
  z.strictObject({ url: z.url({ protocol: /^https?$/ }), sha256: sha256Schema }),
]);
/** `npm:NAME@VERSION` (a version or range; what it is resolved to is pinned when the job is accepted), or an artifact. */
const packageSchema = z
  .string()
  .max(300)
  .regex(
    /^(npm:(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*(@[0-9A-Za-z.^~<>=|* +-]{1,60})?|artifact:[0-9a-f]{64})$/,
    'npm:NAME@VERSION or artifact:SHA256',
  );

/** What one task does: exactly one of `run`, `plugin`, `package` and `code`. */
const workKeys = {
  /** A script for `/bin/sh`, in which `{…}` becomes one quoted word; or a program and its arguments, literally. */
  run: z
    .union([
      z
        .string()
        .min(1)
        .max(16 * 1024),
      z.array(argument).min(1).max(256),
    ])
    .optional(),
  /** A plugin that the node has. */
  plugin: pluginName.optional(),
  /** A package whose default export (or that of `main`) is called like a plugin's. */
  package: packageSchema.optional(),
  /** A file of the package, instead of its own entry. */
  main: z
    .string()
    .max(200)
    .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\0]+$/, 'a path inside the package')
    .optional(),
  /** Runs the package's install scripts; the node must allow it, too. */
  scripts: z.boolean().optional(),
  /** An ES module in JavaScript whose default export is called like a plugin's. */
  code: z.string().min(1).max(jobLimits.code).optional(),
  /** What inline code may beside computing. */
  grant: z.strictObject({ net: z.boolean().optional() }).optional(),
} as const;
const workNames = ['run', 'plugin', 'package', 'code'] as const;
type WorkKeys = { readonly [name in (typeof workNames)[number]]?: unknown };
const oneWork = (said: WorkKeys): boolean => workNames.filter(name => said[name] !== undefined).length === 1;
const oneWorkText = 'say one of "run", "plugin", "package" and "code"';

/** Gets the results of up to `fan_in` tasks as a list (a command: as JSON lines on its standard input), and gives back one. */
const reduceSchema = z
  .strictObject({ ...workKeys, fan_in: z.number().int().min(2).max(1000).default(100) })
  .refine(oneWork, oneWorkText);

export const policies = ['fit', 'spread', 'round-robin', 'greenest'] as const;
export type Policy = (typeof policies)[number];

const seconds = (most: number) => z.number().positive().max(most);
const day = 86_400;

export const jobDocument = z
  .strictObject({
    ...workKeys,
    array: arraySchema.optional(),
    /** One task for each; what a plugin, package or code gets as `data`, and a command as JSON in `{}`. Not with `array`. */
    items: z.array(z.json()).min(1).optional(),
    /** The same for all tasks: `ctx.common`. */
    common: z.json().optional(),
    stdin: z.string().max(jobLimits.value).optional(),
    env: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'not a name of a variable'), z.string().max(16 * 1024))
      .refine(all => Object.keys(all).length <= 64, 'at most 64 variables')
      .optional(),
    /** Absolute; default: a folder of the task's own that is gone after it. */
    cwd: z.string().max(1000).startsWith('/').optional(),
    /** Files that are there before the task starts: `{name}` is the path. */
    inputs: z.record(nameSchema, sourceSchema).optional(),
    /** Files that the task leaves, by their path in its folder: kept as artifacts, `{name}` is the path. */
    outputs: z.record(nameSchema, z.string().min(1).max(200)).optional(),
    /** Which nodes may: an expression over facts and labels, `cores>=4 && arch=="x64" && zone=="attic"`. */
    where: z.string().max(1000).optional(),
    policy: z.enum(policies).default('fit'),
    /** Absent: `batch`. `heat`: waits until a room asks for warmth, and is paused when it does not any more. */
    class: z.enum(['batch', 'heat']).optional(),
    /** Among one submitter's jobs the higher goes first. */
    priority: z.number().int().min(-100).max(100).default(0),
    /** From acceptance; what has not succeeded by then is not tried any more. */
    deadline_s: seconds(365 * day).optional(),
    /** Of one attempt. */
    timeout_s: seconds(30 * day).default(3600),
    /** Attempts after the first that a failing task gets. */
    retries: z.number().int().min(0).max(100).default(2),
    /** Before the first further attempt; doubled each time, up to an hour, less up to a fifth of it by chance. */
    backoff_s: z.number().min(0).max(3600).default(1),
    /** Jobs that must have succeeded before. */
    needs: z.array(jobIdSchema).max(jobLimits.needs).optional(),
    reduce: reduceSchema.optional(),
    /** Tasks of this job that run at the same time, at most. */
    max_parallel: z.number().int().positive().max(1_000_000).optional(),
    /** Slots that one task takes on its node. */
    cpus: z.number().int().positive().max(4096).default(1),
    /** Memory that one task may take; a node with less free is left out, and a task with more is killed where it can be. */
    mem_mb: z.number().int().positive().max(1_000_000).optional(),
    /** Tasks in one message, at most. */
    batch: z.number().int().positive().max(jobLimits.batch).default(jobLimits.batch),
    /** Every task runs so often, on different nodes … */
    replicas: z.number().int().min(1).max(7).default(1),
    /** … and so many must give the same result. */
    agree: z.number().int().min(1).max(7).optional(),
    /** Near the end, what takes much longer than the others is started a second time elsewhere. */
    speculate: z.boolean().default(false),
    /** Starts paused. */
    paused: z.boolean().optional(),
    /** Hours that results stay after the end. */
    keep_h: z
      .number()
      .min(0)
      .max(30 * 24)
      .default(24),
  })
  .refine(oneWork, oneWorkText)
  .refine(({ array, items }) => array === undefined || items === undefined, 'say "array" or "items", not both')
  .refine(({ replicas, agree }) => agree === undefined || agree <= replicas, '"agree" is at most "replicas"');
/** What a package was pinned to when its job was accepted: `package` is then an exact version. */
export interface Pin {
  readonly integrity?: string;
  /** `artifact:SHA256` of its package-lock.json: what it depends on, to the byte. */
  readonly lock?: string;
}
type Accepted = z.output<typeof jobDocument>;
/** As accepted: defaults filled in, packages pinned, the lines of artifacts read. */
export type JobDocument = Omit<Accepted, 'reduce'> &
  Pin & { readonly reduce?: (NonNullable<Accepted['reduce']> & Pin) | undefined };

/** A node's part in jobs, on `jobs` of its document or of a role's. */
export const nodeJobsSchema = z.strictObject({
  /** Tasks at the same time; 0: none. Default: its cores. */
  slots: z.number().int().min(0).max(4096).optional(),
  /** Hotter than this, nothing new is sent there. Default 85. */
  max_temp_c: z.number().min(20).max(120).optional(),
  /** Inline code may run here. */
  inline: z.boolean().optional(),
  /** Install scripts of packages may run here. */
  scripts: z.boolean().optional(),
  /** Modules by the plugin's name, beside those in the node's plugin folder. */
  plugins: z
    .record(pluginName, z.string().regex(/^artifact:[0-9a-f]{64}$/, 'artifact:SHA256'))
    .refine(all => Object.keys(all).length <= 64, 'at most 64 plugins')
    .optional(),
});
export type NodeJobs = z.output<typeof nodeJobsSchema>;

export const jobStates = ['queued', 'running', 'succeeded', 'failed', 'rejected', 'timed-out', 'canceled'] as const;
export type JobState = (typeof jobStates)[number];

/** `is` of a job, retained: flat. */
export const jobIsPayload = z.object({
  job: jobIdSchema,
  state: z.enum(jobStates),
  paused: z.boolean(),
  /** `for heat`: of class `heat`, and nothing of it runs since no heat is asked of a node that may run it. */
  waiting: z.string().optional(),
  tasks: z.number().int(),
  queued: z.number().int(),
  running: z.number().int(),
  succeeded: z.number().int(),
  failed: z.number().int(),
  pct: z.number(),
  /** Energy of what ran so far, as far as the nodes' watts are known. */
  wh: z.number().optional(),
  /** Batches on `out` so far: the next one has this number. */
  outs: z.number().int(),
  by: z.string(),
  err: z.string(),
  submitted_ms: z.number(),
  started_ms: z.number().optional(),
  ended_ms: z.number().optional(),
});
export type JobIs = z.output<typeof jobIsPayload>;
