/** This machine's part in jobs: an executor beside the agent, and results that wait on its disk; loaded when needed. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Fetching } from './artifacts/fetching.ts';
import type { SupervisorAt } from './artifacts/supervisor-at.ts';
import type { Surroundings } from './run-agent.ts';
import { LazyWork } from './work/lazy-work.ts';
import type { WorkSide } from './work/side.ts';

/** As the code that is loaded later knows them: results, the executor's socket, and plugins that somebody put there. */
const outboxLog = 'work/outbox.log';
const socket = 'work/executor.sock';
const pluginFolder = 'plugins';

function isLeft(data: string): boolean {
  try {
    if (existsSync(join(data, socket))) return true;
    if ((statSync(join(data, outboxLog), { throwIfNoEntry: false })?.size ?? 0) > 0) return true;
    return existsSync(join(data, pluginFolder)) && readdirSync(join(data, pluginFolder)).length > 0;
  } catch {
    // Who looks closer says what is wrong.
    return true;
  }
}

export interface WorkFiles {
  readonly fetching: Fetching;
  /** Where what tasks leave is kept. */
  supervisor(): SupervisorAt | undefined;
}

export function createRealWork(
  { data, clock, random, log }: Surroundings,
  { fetching, supervisor }: WorkFiles,
): WorkSide {
  const cores = availableParallelism();
  return new LazyWork({
    ...{ cores, log },
    left: () => isLeft(data),
    async load() {
      const [{ WorkRunner }, { createOutboxFile }, { createExecutor }, { pluginNames }, { createUploader }] =
        await Promise.all([
          import('./work/runner.ts'),
          import('./work/outbox-file.ts'),
          import('./work/executor/client.ts'),
          import('./work/executor/modules/plugin-folder.ts'),
          import('./artifacts/uploader.ts'),
        ]);
      const executor = createExecutor({
        folder: data,
        log,
        fetching,
        upload: createUploader({ clock, random, supervisor }),
        plugins: (folder, done) => done(pluginNames(folder)),
      });
      return new WorkRunner({
        ...{ executor, cores, clock, log, soon: setImmediate },
        outbox: createOutboxFile(join(data, 'work')),
      });
    },
  });
}
