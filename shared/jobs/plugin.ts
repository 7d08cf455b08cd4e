/** What a plugin is written against: `export default (async (data, ctx) => …) satisfies Plugin<In, Out>`. */

/** What is known to one run of one task; packages and inline code get the same. */
export interface PluginContext<Common = unknown> {
  /** Id of the job. */
  readonly job: string;
  /** The task's number in its job, from 0. */
  readonly index: number;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Of this attempt; no other ever has it. Give it to what must not be done twice. */
  readonly token: number;
  /** `common` of the job, the same object for all its tasks in this process: read it only. */
  readonly common: Common;
  /** What an earlier attempt saved last, on whatever node. */
  readonly checkpoint: Uint8Array | undefined;
  /** Keeps these bytes for the next attempt, should this one not come to its end. @throws RangeError above 256 KiB. */
  save(bytes: Uint8Array): void;
  /** Aborts when the task is canceled, or its time is over. Who has not ended 2 s later is killed. */
  readonly signal: AbortSignal;
  /** A line for `errout` of the result, of which the end is kept; what is printed goes there, too. */
  log(text: string): void;
}

/**
 * One task: gets its value, gives back what is committed as its result (undefined, or JSON of at most 64 KiB; larger things
 * belong into the artifact store). What it throws fails the attempt. One task runs at a time in a process, which
 * runs the next one, too: what the module keeps in memory is still there.
 */
// biome-ignore lint/suspicious/noExplicitAny: data comes from who sends the job; the plugin says what it expects.
export type Plugin<Data = any, Result = unknown, Common = any> = (
  data: Data,
  ctx: PluginContext<Common>,
) => Result | Promise<Result>;
