/** The {@link Runner}s of plugins, packages and inline code: worker processes that are kept warm. */
import { join } from 'node:path';
import type { Recipe } from '../../../../shared/schemas/work.ts';
import type { ExecutorTask } from '../../executor.ts';
import type { ModuleRunners, Runner, RunnerParts, Settings } from '../runner.ts';
import { MemoryWatch } from './memory-watch.ts';
import { ModuleLane, mostAhead } from './module-lane.ts';
import { Pool } from './pool.ts';
import { Shelf, type ShelfLimits } from './shelf.ts';
import type { Source } from './source.ts';
import { codeSource, packageSource, pluginSource } from './sources.ts';
import { valuesOf } from './task-value.ts';
import type { findWall } from './wall.ts';

export interface ModuleOptions {
  /** How long a worker waits for its next task, ms; default 30 s. */
  readonly warmMs?: number;
  readonly shelf?: ShelfLimits;
  readonly findWall?: typeof findWall;
}

export function createModuleRunners(parts: RunnerParts, options: ModuleOptions = {}): ModuleRunners {
  let settings: Settings = { slots: 1, inline: false, scripts: false, plugins: {} };
  const shelf = new Shelf(join(parts.folder, 'shelf'), options.shelf);
  const watch = new MemoryWatch();
  const workers = { marks: parts.marks, now: parts.now, watch };
  const sources = { runner: parts, shelf, settings: () => settings };

  const runner = (source: Source, isOver: () => boolean = () => false): Runner => {
    const pool = new Pool(workers, options.warmMs);
    const values = new Map<number, (task: ExecutorTask) => unknown>();
    const valueIn = (recipe: Recipe) => {
      const known = values.get(recipe.r) ?? valuesOf(recipe);
      values.set(recipe.r, known);
      return known;
    };
    return {
      ahead: mostAhead,
      open: (recipe, handlers) =>
        new ModuleLane({ pool, source, recipe, handlers, value: valueIn(recipe), now: parts.now, heat: parts.heat }),
      configure(now) {
        settings = now;
        pool.most = now.slots;
        if (isOver()) pool.endIdle();
      },
      forget(r) {
        values.delete(r);
        pool.forget(r);
        pool.endIdle(key => key === `code ${r}` || key === `heat code ${r}`);
      },
      rest: () => pool.endIdle(),
      close: done => pool.close(done),
    };
  };
  return {
    plugin: runner(pluginSource(sources)),
    package: runner(packageSource(sources)),
    // What is not allowed any more is not kept, either.
    code: runner(codeSource(sources, options.findWall), () => !settings.inline),
  };
}
