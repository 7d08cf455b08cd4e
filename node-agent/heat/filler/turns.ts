/**
 * Dims a filler that no quota dims, as the last resort: on fewer cores where the machine has taskset(1), and for the rest
 * frozen and thawed in turn. How long of each turn it may run is learned from what it uses. Pure.
 */
export interface Turns {
  /** Part of each turn that it runs, 0 to 1. */
  readonly share: number;
  /** Cores that it may be on. */
  readonly cores: number;
}

/** Shorter is not worth the two signals. */
const least = 0.05;
const whole = 0.97;

/** @param used cores that it used of late. */
export function turns(before: Turns | undefined, wanted: number, used: number, machine: number, pins: boolean): Turns {
  if (!(wanted > 0)) return { share: 0, cores: machine };
  const cores = pins ? Math.min(machine, Math.max(1, Math.ceil(wanted - 0.05))) : machine;
  if (!before || before.share === 0 || before.cores !== cores) {
    return { share: Math.min(1, Math.max(least, wanted / cores)), cores };
  }
  const ratio = used > 0.01 ? Math.min(2, Math.max(0.5, wanted / used)) : 2;
  const next = before.share * (1 + (ratio - 1) * 0.5);
  return { share: next >= whole ? 1 : Math.max(least, next), cores };
}
