/** What a worker offers under a name. */
import type { PluginContext } from '../../shared/jobs/plugin.ts';
import { isItemName, printable } from '../../shared/names.ts';
import { HearthError } from '../errors.ts';

export type JobFunction<In, Out> = (payload: In, ctx: PluginContext) => Out | Promise<Out>;

export interface JobOptions<In, Out> {
  readonly name: string;
  readonly run?: JobFunction<In, Out>;
}

/** Give it a `run`, or extend it with a method of that name. */
// biome-ignore lint/suspicious/noExplicitAny: payloads come from who sends them; the job says what it expects.
export class Job<In = any, Out = unknown> {
  readonly name: string;
  readonly #run: JobFunction<In, Out> | undefined;

  constructor({ name, run }: JobOptions<In, Out>) {
    if (typeof name !== 'string' || !isItemName(name)) {
      const use = 'use 1 to 64 of A-Z a-z 0-9 . _ @ : ~ -';
      throw new HearthError('input', `"${printable(String(name))}" is no name of a job: ${use}.`);
    }
    this.name = name;
    this.#run = run;
  }

  /** One task: gets its payload, gives back its result. What it throws fails the attempt. */
  run(payload: In, ctx: PluginContext): Out | Promise<Out> {
    if (!this.#run) throw new HearthError('input', `The job "${this.name}" has nothing to run.`);
    return this.#run(payload, ctx);
  }

  getName(): string {
    return this.name;
  }
}
