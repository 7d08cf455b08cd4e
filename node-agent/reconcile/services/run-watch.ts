/** Tells of records of starts and ends as they are written (unit-folder.ts says which). */
import { type FSWatcher, watch } from 'node:fs';
import type { Log } from '../../../shared/log.ts';

export class RunWatch {
  #watcher: FSWatcher | undefined;

  /** @param changed a unit's `run` or `end` may be there now. */
  constructor(runs: string, log: Log, changed: (unit: string, file: 'run' | 'end') => void) {
    try {
      this.#watcher = watch(runs, (_event, name) => {
        const [, unit, file] = /^([0-9a-f]{32})\.(run|end)$/.exec(name ?? '') ?? [];
        if (unit !== undefined) changed(unit, file === 'end' ? 'end' : 'run');
      });
      this.#watcher.on('error', () => this.close());
    } catch (error) {
      log.warn({ error: String(error) }, 'no file watches left: starts and ends are noticed late');
    }
  }

  close(): void {
    this.#watcher?.close();
  }
}
