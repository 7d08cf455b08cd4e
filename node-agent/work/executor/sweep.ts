/** What an executor leaves behind that is gone, or was killed. */
import { join } from 'node:path';
import type { Log } from '../../../shared/log.ts';
import { killAllOf } from './marks.ts';

/** Ends its tasks. @param folder of the agent. */
export function sweep({ folder, log }: { readonly folder: string; readonly log: Log }): void {
  try {
    const killed = killAllOf(join(folder, 'work'));
    if (killed > 0) log.info({ killed }, `${killed} processes of tasks were ended with their executor`);
  } catch (error) {
    log.warn({}, `processes of tasks cannot be looked for: ${(error as Error).message}`);
  }
}
