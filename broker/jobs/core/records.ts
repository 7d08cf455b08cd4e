/**
 * What dispatch keeps in the store, and below which keys. Only `jobs/` is read at a start; results and checkpoints, which
 * may be gigabytes, lie beside it and are read by exact key when somebody asks.
 *
 *   jobs/boot                  highest number of a start that tokens may carry
 *   jobs/doc/<job>             the document and who sent it; written once
 *   jobs/state/<job>           what changes; absent: as submitted
 *   jobs/commit/<r>/<k>        what happened to tasks of recipe r since record k - 1, as ranges: one per batch, never one per task
 *   jobs/cp/<r>/<index>        empty: there is a checkpoint
 *   jobs/run/<node>            tasks that have run for more than a second there: held for the node after a restart
 *   jobs/node/<node>           a node whose results differed from those of others
 *   jobout/<job>/<seq>         batch of committed results, exactly as on `out`
 *   jobvalue/<r>/<seq>         the same of a reduction's lower levels, which are not on `out`
 *   jobcp/<r>/<index>          the checkpoint, base64
 *   jobid/<job>                id and hash of a job that is removed: the id is never taken for another document
 *   jobday/<day>/<job>         the same by day (days since 1970, five digits), for whoever forgets ids after 30 days
 */
import type { JobDocument, JobState } from '../../../shared/schemas/job.ts';
import type { End } from '../../../shared/schemas/work.ts';
import type { StoreOp } from '../../../shared/store.ts';
import type { Committed } from './events.ts';

/** What `Dispatch.load` gets: all entries below it. */
export const loadPrefix = 'jobs/';
/** Decimal number; whoever starts reads it (absent: 0), writes one more, synced, and gives that to `load`. */
export const bootKey = 'jobs/boot';
export const runPrefix = 'jobs/run/';

export const documentKey = (job: string): string => `jobs/doc/${job}`;
export const stateKey = (job: string): string => `jobs/state/${job}`;
export const commitKey = (r: number, k: number): string => `jobs/commit/${r}/${padded(k)}`;
export const checkpointMark = (r: number, index: number): string => `jobs/cp/${r}/${index}`;
export const runKey = (node: string): string => `${runPrefix}${node}`;
export const nodeKey = (node: string): string => `jobs/node/${node}`;
export const outKey = (job: string, seq: number): string => `jobout/${job}/${padded(seq)}`;
export const valueKey = (r: number, seq: number): string => `jobvalue/${r}/${padded(seq)}`;
export const checkpointKey = (r: number, index: number): string => `jobcp/${r}/${index}`;
export const rememberedKey = (job: string): string => `jobid/${job}`;
export const rememberedDay = (wall: number): string =>
  `jobday/${String(Math.floor(wall / 86_400_000)).padStart(5, '0')}/`;
/** Of both kinds of key of remembered ids: the id. */
export const idOfKey = (key: string): string => key.slice(key.lastIndexOf('/') + 1);

/** Keys in order of their number. */
const padded = (n: number): string => String(n).padStart(10, '0');

export interface DocumentRecord {
  readonly document: JobDocument;
  readonly hash: string;
  readonly by: string;
  /** Jobs are numbered in order of acceptance. */
  readonly order: number;
  readonly submitted_ms: number;
  readonly r: number;
  /** Tasks. */
  readonly n: number;
}

/** One level of a reduction: recipe, tasks, and how many values of the level below each gets. */
export interface LevelRecord {
  readonly r: number;
  readonly n: number;
  readonly fan: number;
}

export interface StateRecord {
  readonly state: JobState;
  readonly paused: boolean;
  readonly priority: number;
  readonly err: string;
  readonly started_ms?: number;
  readonly ended_ms?: number;
  readonly deadline_ms?: number;
  readonly levels?: readonly LevelRecord[];
}

/** Indexes as pairs: first, how many. */
export type Ranges = readonly number[];

/** What happened to tasks of one recipe; absent: nothing of that kind. */
export interface CommitRecord {
  readonly ok?: Ranges;
  readonly failed?: Ranges;
  /** Failed before, and queued again with all attempts (`retry`). Comes before the others. */
  readonly again?: Ranges;
  /** Triples: index, attempts that failed, attempts lost with their node; of tasks not ended. */
  readonly tries?: readonly number[];
  /** Number of the batch on `out` (or of the level), and its bytes. */
  readonly seq?: number;
  readonly bytes?: number;
  readonly wh?: number;
  /** Bytes of the largest value. */
  readonly most?: number;
  /** Record that stands for itself and all before it: batches in them. */
  readonly seqs?: number;
}

export interface RememberedRecord {
  readonly hash: string;
  readonly state: JobState;
  /** Wall clock, ms. */
  readonly at: number;
}

/** What is kept of a job that is removed. */
export function rememberOps(job: string, record: RememberedRecord): StoreOp[] {
  return [
    { put: rememberedKey(job), value: JSON.stringify(record) },
    { put: rememberedDay(record.at) + job, value: '' },
  ];
}

/** @returns undefined where the text is none of ours. */
export function remembered(text: string | undefined): RememberedRecord | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as RememberedRecord);
}

/** Indexes, sorted ascending in place, as ranges. */
export function toRanges(indexes: number[]): number[] {
  indexes.sort((a, b) => a - b);
  const ranges: number[] = [];
  let first = -1;
  let n = 0;
  for (const index of indexes) {
    if (n > 0 && index === first + n) n++;
    else {
      if (n > 0) ranges.push(first, n);
      first = index;
      n = 1;
    }
  }
  if (n > 0) ranges.push(first, n);
  return ranges;
}

/** The payload of `out`, from results that are JSON already. */
export const outText = (seq: number, results: readonly string[], reduced: boolean): string =>
  `{"seq":${seq},${reduced ? '"reduced":true,' : ''}"results":[${results.join(',')}]}`;

export const outResults = (text: string): readonly Committed[] =>
  (JSON.parse(text) as { results: readonly Committed[] }).results;

/**
 * What a reduction gets of a task: what it gave back; of a command its output without the last newline, as JSON where it
 * is JSON and else as text; null where there is nothing.
 */
export function resultValue(end: End | undefined): unknown {
  if (end === undefined) return null;
  if (end.value !== undefined) return end.value;
  if (end.out === undefined) return null;
  const text = end.out.replace(/\r?\n$/, '');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
