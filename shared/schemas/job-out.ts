/** `out` of a job, not retained: its results in the order in which they were committed, in numbered batches. */
import { z } from 'zod';
import { jobLimits } from './job.ts';
import { endPayload } from './work.ts';

/** One task's end as it was committed. */
export const committedPayload = z.object({
  /** Of the task, from 0; of a reduction's step, among the steps. */
  index: z.number().int().nonnegative().max(jobLimits.tasks),
  state: z.enum(['succeeded', 'failed']),
  /** Where; empty where it ran nowhere. */
  node: z.string().max(20),
  attempts: z.number().int().nonnegative(),
  ms: z.number().nonnegative(),
  wh: z.number().nonnegative().optional(),
  end: endPayload.optional(),
});
export type CommittedResult = z.output<typeof committedPayload>;

export const jobOutPayload = z.object({
  /** From 0, without gaps. What was missed is sent again for `do/out` with `{"from":first,"to":one past the last}`. */
  seq: z.number().int().nonnegative(),
  results: z.array(committedPayload),
  /** These are results of the reduction: the one with the highest index is the job's. */
  reduced: z.boolean().optional(),
});
export type JobOut = z.output<typeof jobOutPayload>;
