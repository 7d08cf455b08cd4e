/** A job and its recipes, from the record of its document. */
import { compileArray } from '../../../shared/jobs/array.ts';
import type { Recipe } from '../../../shared/schemas/work.ts';
import { dispatchLimits } from './limits.ts';
import { Queue } from './queue.ts';
import type { DocumentRecord, LevelRecord } from './records.ts';
import { type Core, type JobRun, type RecipeRun, recipesOfBoot } from './state.ts';
import { Tasks } from './tasks.ts';

const workKeys = ['run', 'plugin', 'package', 'integrity', 'lock', 'main', 'scripts', 'code', 'grant'] as const;
const taskKeys = ['common', 'stdin', 'env', 'cwd', 'inputs', 'outputs', 'timeout_s', 'cpus', 'mem_mb'] as const;
/** A reduction's tasks have their values where others have their input, and files of their own. */
const reduceKeys = ['common', 'env', 'timeout_s', 'cpus', 'mem_mb'] as const;

function pick(from: object, keys: readonly string[]): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const key of keys) {
    const value = (from as Record<string, unknown>)[key];
    if (value !== undefined) picked[key] = value;
  }
  return picked;
}

/** Never used twice: numbers begin anew with each boot, above all of the boots before. */
export const nextRecipe = (core: Core): number => core.boot * recipesOfBoot + core.recipeCount++;

export function createJob(id: string, record: DocumentRecord, bytes: number): JobRun {
  const { document } = record;
  const levels: RecipeRun[] = [];
  const unmet = new Set<string>();
  const job: { -readonly [key in keyof JobRun]: JobRun[key] } = {
    id,
    document,
    documentBytes: bytes,
    hash: record.hash,
    by: record.by,
    order: record.order,
    submittedMs: record.submitted_ms,
    n: record.n,
    main: undefined as unknown as RecipeRun,
    levels,
    levelRecords: [],
    active: false,
    state: 'queued',
    paused: document.paused ?? false,
    urgent: false,
    priority: document.priority,
    err: '',
    lastErr: '',
    startedMs: undefined,
    endedMs: undefined,
    deadline: undefined,
    deadlineMs: undefined,
    unmet,
    wh: undefined,
    whWritten: 0,
    outs: 0,
    outBytes: 0,
    isAt: undefined,
    said: '',
    isTimer: false,
    isLate: false,
  };
  job.main = mainRun(job, record.r);
  return job;
}

function mainRun(job: JobRun, r: number): RecipeRun {
  const { document, n } = job;
  const { array, items } = document;
  const named = array !== undefined && JSON.stringify(array).length > dispatchLimits.arrayBytes;
  let values: ((index: number) => unknown) | undefined;
  if (items) values = index => items[index];
  else if (named) {
    let at: ((index: number) => unknown) | undefined;
    values = index => {
      if (!at) {
        const compiled = compileArray(array);
        at = compiled.ok ? compiled.value.at : () => undefined;
      }
      return at(index);
    };
  }
  const recipe = {
    r,
    job: job.id,
    by: job.by,
    n,
    ...pick(document, workKeys),
    ...pick(document, taskKeys),
    ...(array !== undefined && (named ? { named } : { array })),
    ...(document.class === 'heat' && { heat: true }),
  } as Recipe;
  const agree = document.agree ?? Math.floor(document.replicas / 2) + 1;
  return createRun(job, recipe, values, document.replicas, agree, undefined, true);
}

export function createLevel(job: JobRun, { r, n, fan }: LevelRecord, below: RecipeRun): RecipeRun {
  const { document } = job;
  const recipe = {
    r,
    job: job.id,
    by: job.by,
    n,
    ...pick(document.reduce ?? {}, workKeys),
    ...pick(document, reduceKeys),
    reduce: true,
    ...(document.class === 'heat' && !job.urgent && { heat: true }),
  } as Recipe;
  return createRun(job, recipe, undefined, 1, 1, { run: below, fan }, n === 1);
}

function createRun(
  job: JobRun,
  recipe: Recipe,
  value: RecipeRun['value'],
  replicas: number,
  agree: number,
  below: RecipeRun['below'],
  out: boolean,
): RecipeRun {
  return {
    r: recipe.r,
    job,
    recipe,
    recipeBytes: Buffer.byteLength(JSON.stringify(recipe)),
    below,
    out,
    tasks: new Tasks(recipe.n),
    value,
    live: new Map(),
    started: 0,
    replicas,
    agree,
    open: new Map(),
    partial: new Queue(),
    wants: 0,
    fetch: new Queue(),
    prepared: new Queue(),
    fetching: 0,
    checkpoints: new Set(),
    backoff: new Map(),
    batchOf: job.document.reduce ? new Uint32Array(recipe.n) : undefined,
    mostBytes: 0,
    batches: 0,
    commits: 0,
    firstCommit: 0,
    compactAt: dispatchLimits.compactEvery,
    bytes: 0,
    wh: 0,
    commit: { results: [], again: [], tries: new Set() },
    fence: 0,
    times: [],
    speculateTimer: false,
    told: 0,
    sentTo: new Set(),
    shunned: new Set(),
  };
}
