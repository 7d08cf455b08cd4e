/**
 * The agent is killed at every effect of a plan: the next one converges, with nothing half written, left over or lost.
 * Shares cores: it starts several processes at a time.
 */
import { suite } from 'uvu';
import { isFarHere, killAtEach } from '../fixture/files/kill-runner.ts';
import { scenarios } from '../fixture/files/kill-scenarios.ts';

const killed = suite('files killed folders');

for (const scenario of scenarios.filter(({ isArchive }) => isArchive)) {
  if (scenario.isFar && !isFarHere) console.log(`skipped: ${scenario.name} (needs /dev/shm)`);
  else killed(`killed at every effect: ${scenario.name}`, () => killAtEach(scenario, 1));
}

killed.run();
