/** Looks at this machine. What looks is loaded with the first look: an agent without checks never has it in memory. */
import { printable } from '../../shared/names.ts';
import { type Check, type CheckKind, kindOf } from '../../shared/schemas/check.ts';
import { type Finding, type Prober, unknown } from './finding.ts';
import type { Machine } from './machine.ts';

/** How one kind of check looks. It may reject: what it says is then what stood in the way of knowing. */
export type Probe<Kind extends CheckKind> = (
  assertion: NonNullable<Check[Kind]>,
  machine: Machine,
  signal: AbortSignal,
) => Promise<Finding>;
export type Probes = { readonly [Kind in CheckKind]: Probe<Kind> };

/** @param machine its files below a root, and what its programs are started with: a fixture in tests. */
export function createRealProber(machine: Machine): Prober {
  return {
    probe(check, signal, done) {
      look(check, machine, signal).then(done, error =>
        done(unknown(`cannot be told: ${printable((error as Error).message ?? String(error), 160)}`)),
      );
    },
  };
}

async function look(check: Check, machine: Machine, signal: AbortSignal): Promise<Finding> {
  const kind = kindOf(check);
  if (kind === undefined) return unknown('this version of the agent does not know this kind of check');
  const { probes } = await import('./probes/index.ts');
  if (signal.aborted) return unknown('the time was over before it was looked at');
  const probe = probes[kind] as Probe<CheckKind>;
  return probe(check[kind] as never, machine, signal);
}
