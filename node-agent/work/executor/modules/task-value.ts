/** What a task gets as `data`: its own value, or that of the recipe's array. */
import { anonymous, type CompiledArray, compileArray } from '../../../../shared/jobs/array.ts';
import type { JobArray } from '../../../../shared/schemas/job.ts';
import type { Recipe } from '../../../../shared/schemas/work.ts';
import type { ExecutorTask } from '../../executor.ts';

/** Text of the one dimension; of several, an object of texts by their names. */
export function valuesOf(recipe: Recipe): (task: ExecutorTask) => unknown {
  if (recipe.array === undefined) return task => task.value;
  const compiled = compileArray(recipe.array as JobArray);
  if (!compiled.ok) return task => task.value;
  const array: CompiledArray = compiled.value;
  const isOne = array.names.length === 1 && array.names[0] === anonymous;
  return task => {
    if (task.value !== undefined) return task.value;
    if (task.index >= array.n) return undefined;
    const values = array.at(task.index);
    return isOne ? values[anonymous] : values;
  };
}
