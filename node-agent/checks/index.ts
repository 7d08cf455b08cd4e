/** Checks of a node. Import it when the first document with checks comes: an agent without any has no use for it. */
import type { Clock, Random } from '../../shared/clock.ts';
import type { Prober } from './finding.ts';
import { machineAt } from './machine.ts';
import { createRealProber } from './real-prober.ts';
import { type CheckHandlers, CheckTable } from './table.ts';

export type { Finding, Prober } from './finding.ts';
export { type CheckHandlers, CheckTable } from './table.ts';

/** @param parts `prober`: who looks; default this machine. */
export const createChecks = (
  { clock, random, prober }: { readonly clock: Clock; readonly random: Random; readonly prober?: Prober },
  handlers: CheckHandlers,
): CheckTable => new CheckTable({ clock, random, prober: prober ?? createRealProber(machineAt()) }, handlers);
