/** Checks of a node. Import it when the first document with checks comes: an agent without any has no use for it. */
import type { Clock, Random } from '../../shared/clock.ts';
import { type Check, checkFields } from '../../shared/schemas/check.ts';
import type { Prober } from './finding.ts';
import { machineAt } from './machine.ts';
import { createRealProber } from './real-prober.ts';
import { type CheckHandlers, CheckTable } from './table.ts';

/**
 * Checks as a `want` brings them, read closely. One that this version does not understand stays, without an assertion: it is
 * told as `unknown`, and keeps no other from being looked at.
 */
export const readChecks = (wanted: Readonly<Record<string, unknown>>): Record<string, Check> =>
  Object.fromEntries(
    Object.entries(wanted).map(([name, said]) => {
      const { from: _, ...check } = (said ?? {}) as Record<string, unknown>;
      const read = checkFields.safeParse(check);
      return [name, read.success ? read.data : {}];
    }),
  );

export type { Finding, Prober } from './finding.ts';
export { type CheckHandlers, CheckTable } from './table.ts';

/** @param parts `prober`: who looks; default this machine. */
export const createChecks = (
  { clock, random, prober }: { readonly clock: Clock; readonly random: Random; readonly prober?: Prober },
  handlers: CheckHandlers,
): CheckTable => new CheckTable({ clock, random, prober: prober ?? createRealProber(machineAt()) }, handlers);
