/**
 * What a task needs from the store before it can be sent: a reduction the values of its part of the level below, a task
 * that was interrupted its checkpoint. A few of each recipe are kept ready; the rest stays on the disk.
 */
import { dispatchLimits } from './limits.ts';
import { checkpointKey, outKey, outResults, resultValue, valueKey } from './records.ts';
import type { Core, RecipeRun } from './state.ts';
import { isOver } from './state.ts';
import { task } from './tasks.ts';

/** Reads are begun behind the writes before them, so that what they look for is there. */
export function pumpFetches(core: Core, run: RecipeRun): void {
  if (!run.below && run.fetch.length === 0) return;
  while (run.fetching + run.tasks.count(task.prepared) < dispatchLimits.prepared) {
    const index = nextToFetch(run);
    if (index < 0) return;
    run.fetching++;
    core.journal.promise(() => begin(core, run, index));
  }
}

function nextToFetch(run: RecipeRun): number {
  for (let index = run.fetch.shift(); index !== undefined; index = run.fetch.shift()) {
    if (run.tasks.state(index) === task.fetching) return index;
  }
  if (!run.below) return -1;
  const index = run.tasks.take();
  if (index >= 0) run.tasks.set(index, task.fetching);
  return index;
}

function begin(core: Core, run: RecipeRun, index: number): void {
  const keys = run.below ? keysOfValues(run, index) : [];
  const hasCheckpoint = run.checkpoints.has(index);
  if (hasCheckpoint) keys.push(checkpointKey(run.r, index));
  core.fetch(keys, texts => {
    run.fetching--;
    core.dirtyRecipes.add(run);
    // Canceled, or adopted, meanwhile.
    if (run.tasks.state(index) !== task.fetching || isOver(run.job)) return;
    const checkpoint = hasCheckpoint ? texts[texts.length - 1] : undefined;
    run.tasks.set(index, task.prepared);
    run.prepared.push({ index, value: valuesOf(run, index, texts), checkpoint });
  });
}

/** Batches of the level below that have this task's part. */
function keysOfValues(run: RecipeRun, index: number): string[] {
  const { run: below, fan } = run.below as NonNullable<RecipeRun['below']>;
  const batches = new Set<number>();
  for (let i = index * fan; i < Math.min(below.tasks.n, (index + 1) * fan); i++) batches.add(below.batchOf?.[i] ?? 0);
  return [...batches].map(seq => (below.out ? outKey(run.job.id, seq) : valueKey(below.r, seq)));
}

function valuesOf(run: RecipeRun, index: number, texts: readonly (string | undefined)[]): unknown {
  if (!run.below) return run.value?.(index);
  const { run: below, fan } = run.below;
  const first = index * fan;
  const values = new Array<unknown>(Math.min(fan, below.tasks.n - first)).fill(null);
  for (const text of texts) {
    if (text === undefined || !text.startsWith('{')) continue;
    for (const { index: from, end, state } of outResults(text)) {
      if (state === 'succeeded' && from >= first && from < first + values.length)
        values[from - first] = resultValue(end);
    }
  }
  return values;
}
