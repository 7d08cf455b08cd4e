/** What placement is told of a recipe. */
import type { Recipe } from '../../../shared/schemas/work.ts';
import type { RecipeView } from '../placement/placer.ts';
import type { RecipeRun } from './state.ts';

const baseName = (word: string): string => word.slice(word.lastIndexOf('/') + 1).slice(0, 64);
/** Speeds are measured by it. */
function kindOf({ run, plugin, package: packed }: Recipe): string {
  if (run !== undefined) {
    const first = typeof run === 'string' ? (run.trim().split(/\s+/, 1)[0] ?? '') : (run[0] ?? '');
    return `run:${baseName(first)}`;
  }
  return plugin !== undefined ? `plugin:${plugin}` : packed !== undefined ? `package:${packed}` : 'code';
}

/** What placement is told. */
export function viewOf({ r, job, recipe }: RecipeRun): RecipeView {
  const { document } = job;
  const needs =
    recipe.run !== undefined
      ? 'run'
      : recipe.plugin !== undefined
        ? 'plugin'
        : recipe.package !== undefined
          ? 'package'
          : 'code';
  return {
    r,
    job: job.id,
    by: job.by,
    priority: job.priority,
    order: job.order,
    policy: document.policy,
    cpus: document.cpus,
    batch: document.batch,
    kind: kindOf(recipe),
    needs,
    ...(job.deadline === undefined ? {} : { deadline: job.deadline }),
    ...(document.where === undefined ? {} : { where: document.where }),
    ...(document.mem_mb === undefined ? {} : { memMb: document.mem_mb }),
    ...(document.max_parallel === undefined ? {} : { maxParallel: document.max_parallel }),
    ...(recipe.plugin === undefined ? {} : { plugin: recipe.plugin }),
    ...(recipe.heat ? { heat: true } : {}),
  };
}
