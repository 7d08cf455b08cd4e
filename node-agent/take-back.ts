/**
 * What `hearth-agent uninstall` does before the agent's folder goes, which holds what was at files' paths before Hearth: what
 * Hearth put there is taken away, and what was there before comes back. Packages stay.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock, systemRandom } from '../shared/system-clock.ts';
import { realFiles } from './reconcile/real-kinds.ts';
import { runPlan } from './reconcile/run-plan.ts';
import { stderrLog } from './stderr-log.ts';

/** @param done with the sentences of what could not be put back; empty for all is as it was. */
export function takeBack(data: string, done: (problems: readonly string[]) => void): void {
  if (!existsSync(join(data, 'items/files.json'))) {
    done([]);
    return;
  }
  const fetching = { fetch: () => ({ cancel() {} }) };
  const files = realFiles({
    ...{ data, fetching, clock: systemClock(), random: systemRandom(), log: stderrLog(false) },
    facts: () => ({}),
  });
  const problems: string[] = [];
  const notice = (level: string, _kind: string, text: string) => void (level === 'error' && problems.push(text));
  files.start({ changed() {}, again() {}, notice }, () => {
    files.plan({}, steps => {
      runPlan(steps, files.executors, outcomes => {
        for (const { error } of outcomes) if (error !== undefined) problems.push(error);
        files.close();
        done(problems);
      });
    });
  });
}
