/**
 * A guess of what a machine draws at the wall, by the name of its processor: the whole machine with its power supply, no screen.
 * Bands are wide, since the same processor sits in a thin client and in a tower with three disks.
 */
import type { PowerModel } from '../types.ts';

/** As `info` of a node says it. */
export interface Processor {
  readonly cpu?: string | undefined;
  readonly cores?: number | undefined;
  readonly arch?: string | undefined;
  /** Its highest clock. */
  readonly mhz?: number | undefined;
}

interface Kind {
  readonly name: RegExp;
  readonly idleW: number;
  readonly peakW: number;
  readonly err: number;
}

/** The first that fits. */
const kinds: readonly Kind[] = [
  { name: /raspberry pi 5|bcm2712/i, idleW: 3.3, peakW: 8.8, err: 0.3 },
  { name: /raspberry pi 4|bcm2711/i, idleW: 2.9, peakW: 6.4, err: 0.3 },
];

export function guessOf({ cpu = '', cores = 2 }: Processor): PowerModel {
  const kind = kinds.find(({ name }) => name.test(cpu));
  if (kind) return { idleW: kind.idleW, peakW: kind.peakW, exponent: 0.9, source: 'guess', err: kind.err };
  return { idleW: 20 + 3 * cores, peakW: 25 + 15 * cores, exponent: 0.9, source: 'guess', err: 0.4 };
}
