/**
 * What the dispatch core hears and what it wants done. The core decides, synchronously and purely; the adapter
 * (`broker/jobs/jobs.ts`) runs effects in order, and feeds their outcome back as events.
 *
 * An effect that promises something (an answer, an ack, a result on `out`) is held back by the core until the write it
 * rests on is synced: `write` carries a number, `synced` names it, and every write up to it is then on stable storage.
 * Work leaves without waiting: a task that runs twice after a crash is committed once all the same.
 */

import type { ContractError } from '../../../shared/errors.ts';
import type { JobDocument, JobIs } from '../../../shared/schemas/job.ts';
import type { End, Recipe, Report, TokenSpan, WorkSpan } from '../../../shared/schemas/work.ts';
import type { StoreOp } from '../../../shared/store.ts';

/** What of a node matters to jobs; a new one whenever something in it changed. */
export interface NodeView {
  readonly node: string;
  /** Facts and labels as `where` sees them: `cores`, `arch`, `os`, `mem_mb`, `zone`, `room`, `label_x` and `x`, `roles` (a list), … */
  readonly facts: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  /** What it can: plugins it has, and of `run plugin package code` which. */
  readonly plugins: readonly string[];
  readonly can: readonly string[];
  /** Last telemetry; absent keys are unknown. */
  readonly load: {
    readonly cpu_pct?: number;
    readonly mem_free_mb?: number;
    readonly temp_c?: number;
    readonly watts?: number;
  };
  readonly maxTempC: number;
  readonly inline: boolean;
  /** Slots that tasks of class `heat` may use now, those of all others counted; absent: none. */
  readonly heat?: number;
  /** Takes nothing new: drained, in safe mode, quarantined by people. */
  readonly closed?: string;
}

/** A task's end as it was committed, for `out` and for the store. */
export interface Committed {
  readonly index: number;
  readonly state: 'succeeded' | 'failed';
  readonly node: string;
  /** Attempts it took. */
  readonly attempts: number;
  readonly ms: number;
  readonly wh?: number;
  readonly end?: End;
}

export type JobEvent =
  /** A valid new document; `hash` is of its canonical text. `answer` comes back with the outcome. Pinned packages and lines are in `document` already. */
  | {
      readonly type: 'submit';
      readonly id: string;
      readonly document: JobDocument;
      readonly hash: string;
      readonly by: string;
      readonly answer: number;
    }
  /** `remove`: nothing of it is kept but its id (`do/forget`); only of an ended job. */
  | {
      readonly type: 'order';
      readonly id: string;
      readonly verb: 'cancel' | 'retry' | 'pause' | 'resume' | 'remove';
      readonly by: string;
      readonly answer: number;
    }
  | {
      readonly type: 'priority';
      readonly id: string;
      readonly priority: number;
      readonly by: string;
      readonly answer: number;
    }
  /** The broker is back: what was said meanwhile, to nodes or by them, is lost, and each is asked what it holds. */
  | { readonly type: 'again' }
  /** Facts, telemetry or permissions of a node; undefined: it is forgotten. */
  | { readonly type: 'node'; readonly node: string; readonly view: NodeView | undefined }
  /** A session begins: nothing is sent before its first report. */
  | { readonly type: 'online'; readonly node: string; readonly inst: string; readonly epoch: number }
  | { readonly type: 'offline'; readonly node: string }
  | { readonly type: 'report'; readonly node: string; readonly report: Report }
  | { readonly type: 'synced'; readonly write: number }
  /** The disk refuses: the adapter tries that write again and again; until `synced` nothing new is accepted. */
  | { readonly type: 'unsynced'; readonly write: number; readonly error: ContractError }
  /** Answer to `read`: one text for each key, undefined where there is none. */
  | { readonly type: 'values'; readonly read: number; readonly values: readonly (string | undefined)[] }
  /** Somebody trusts the node again (`do/resume` of the node): see quarantine in `votes.ts`. */
  | { readonly type: 'pardon'; readonly node: string }
  /** Due at the time that the core named last (`wake`). */
  | { readonly type: 'tick' };

/** One message to a node; the adapter adds authority and session, and splits nothing: the core keeps it below the limit. */
export interface WorkBody {
  readonly recipes?: readonly Recipe[];
  readonly spans?: readonly WorkSpan[];
  readonly ack?: readonly TokenSpan[];
  readonly revoke?: readonly TokenSpan[];
  readonly take?: readonly TokenSpan[];
  readonly forget?: readonly number[];
  readonly urgent?: readonly number[];
  readonly inventory?: boolean;
  readonly question?: number;
}

export type JobEffect =
  | { readonly type: 'write'; readonly write: number; readonly ops: readonly StoreOp[] }
  /** Records of the store, by exact key: results that a reduction gets, checkpoints. Answered by `values`. */
  | { readonly type: 'read'; readonly read: number; readonly keys: readonly string[] }
  | { readonly type: 'send'; readonly node: string; readonly epoch: number; readonly body: WorkBody }
  | {
      readonly type: 'answer';
      readonly answer: number;
      readonly error?: ContractError;
      readonly job?: string;
      readonly fresh?: boolean;
    }
  /** Retained `is`; at most one per job and `isEveryMs`, but at once at the end. undefined: the job is gone, clear its topics. */
  | { readonly type: 'is'; readonly job: string; readonly is: JobIs | undefined }
  /** Batch number `seq` of the job's results, as they were committed; the store has it under the same number. */
  | {
      readonly type: 'out';
      readonly job: string;
      readonly seq: number;
      readonly results: readonly Committed[];
      readonly reduced?: boolean;
      /** The same as the store has it, below `outKey(job, seq)` of `records.ts`: the payload of the topic. */
      readonly text: string;
    }
  | {
      readonly type: 'event';
      readonly level: 'info' | 'warn' | 'error';
      readonly kind: string;
      readonly node?: string;
      readonly text: string;
    }
  /** When `tick` is due next, monotonic ms. */
  | { readonly type: 'wake'; readonly at: number };
