/**
 * A guess of what a machine draws at the wall, by the name of its processor: the whole machine with its power supply, no screen.
 * Bands are wide, since the same processor sits in a thin client and in a tower with three disks. Pure.
 *
 * Small boards: metered figures. Raspberry Pi Zero to 3 at their 5 V side (pidramble.com, "Power consumption"), with a fifth for
 * the supply; Pi 4 at the wall (chipwired.com, "Raspberry Pi power use": 3.0 and 6.3 W); Pi 5 as its makers and testers say.
 *
 * All others: `(board + 0.7 * TDP) / efficiency` when busy. 0.7 is what is left of the thermal design power under plain load
 * (PowerAPI's default, after JouleSort, Rivoire et al. 2007). Against metered machines the difference of idle and busy came to: Xeon
 * X3470 0.65, E3-1230 v6 0.48, 2 x E5-2660 0.9, Xeon 3040 0.37 (SPECpower results), Core 2 E7200 0.33 and Athlon X2 5050e 0.9
 * (Tom's Hardware), Threadripper 1950X 0.8 (CodeCarbon's profile with a plug): hence half an error band of 35 to 40 %.
 */
import type { PowerModel } from '../types.ts';

/** As `info` of a node says it. */
export interface Processor {
  readonly cpu?: string | undefined;
  /** Logical ones. */
  readonly cores?: number | undefined;
  readonly arch?: string | undefined;
  /** Its highest clock. */
  readonly mhz?: number | undefined;
}

/** Of the machine around the processor. */
export interface Board {
  /** W that everything but the processor's package draws, behind the power supply. */
  readonly watts: number;
  /** Of the power supply. */
  readonly efficiency: number;
}

interface Metered {
  readonly name: RegExp;
  readonly idleW: number;
  readonly peakW: number;
}

/** The first that fits, before {@link kinds}. `info` names an ARM processor as its device tree does: `arm,cortex-a72`. */
const metered: readonly Metered[] = [
  { name: /raspberry pi zero 2|bcm2710a1|rp3a0/i, idleW: 0.9, peakW: 2.8 },
  { name: /raspberry pi zero|raspberry pi (?:1|model)|bcm2835|arm1176|armv6/i, idleW: 1, peakW: 1.8 },
  { name: /raspberry pi 2|bcm2836|cortex-a7\b/i, idleW: 1.4, peakW: 2.6 },
  { name: /raspberry pi 3|bcm2837|cortex-a53/i, idleW: 2.1, peakW: 5.5 },
  { name: /raspberry pi 4|bcm2711|cortex-a72/i, idleW: 3, peakW: 6.3 },
  { name: /raspberry pi 5|bcm2712|cortex-a76/i, idleW: 3.6, peakW: 9 },
  { name: /cortex-a(?:8|9|15|17|35|55|57|73)\b/i, idleW: 2.5, peakW: 7 },
];
/** Board, supply, disk and fan differ; of 3 W that is much. */
const meteredErr = 0.3;

interface Kind {
  readonly name: RegExp;
  /** Thermal design power of one package, W. */
  readonly tdp: number;
  /** What the machine draws idle, processor too, behind its power supply. */
  readonly idleW: number;
  readonly efficiency: number;
  /** Two threads share a core: half of the logical cores busy draw far more than half. */
  readonly smt?: true;
  /** Logical cores of one package: more are more packages. */
  readonly packageCores?: number;
}

const laptop = { idleW: 7, efficiency: 0.87 };
const mini = { idleW: 8, efficiency: 0.87 };
const tower = { idleW: 27, efficiency: 0.82 };
const old = { idleW: 45, efficiency: 0.75 };
const server = { idleW: 45, efficiency: 0.88 };

/** The first that fits. */
const kinds: readonly Kind[] = [
  { name: /epyc/i, tdp: 180, ...server, idleW: 80, smt: true, packageCores: 128 },
  { name: /threadripper/i, tdp: 180, idleW: 95, efficiency: 0.88, smt: true },
  { name: /opteron/i, tdp: 105, ...server, idleW: 60, packageCores: 16 },
  { name: /xeon.*(?:gold|silver|bronze|platinum)/i, tdp: 125, ...server, smt: true, packageCores: 40 },
  { name: /xeon.*e5-|xeon.*e7-/i, tdp: 95, ...server, smt: true, packageCores: 24 },
  { name: /xeon.*(?:e3-|e-2|w-1)/i, tdp: 75, ...tower, idleW: 22, smt: true },
  { name: /xeon.*[xel]5[56]\d\d/i, tdp: 90, ...server, idleW: 55, smt: true, packageCores: 12 },
  { name: /xeon.*[xl]?34\d\d/i, tdp: 95, ...server, idleW: 37, smt: true },
  { name: /xeon/i, tdp: 75, ...old, idleW: 65, packageCores: 4 },
  { name: /pentium 4\b|pentium d\b|netburst/i, tdp: 89, ...old, idleW: 60 },
  { name: /atom|celeron.* [jn]\d{4}|pentium.* [jn]\d{4}|\bn(?:95|97|100|150|200|305)\b/i, tdp: 10, ...mini },
  { name: /core ?2 quad|core ?2 extreme/i, tdp: 95, ...old },
  {
    name: /core ?2.* (?:[tpul]|s[lpu])\d{4}|core.*duo.* [tlu]\d{4}|dual-core.* t\d{4}|celeron.* [mt]\d/i,
    tdp: 30,
    ...laptop,
    idleW: 13,
  },
  { name: /core ?2|pentium.*dual|pentium.* e\d{4}/i, tdp: 65, ...old, idleW: 35 },
  {
    name: /turion|sempron.*mobile|athlon.*(?:neo|mobile)|amd [ce][12]?-\d|\be-?(?:350|450)\b/i,
    tdp: 28,
    ...laptop,
    idleW: 12,
  },
  { name: /phenom|\bfx\b|fx\(tm\)/i, tdp: 100, ...old },
  { name: /ryzen.*\d{4}(?:u|c)\b/i, tdp: 15, ...laptop, smt: true },
  { name: /ryzen.*\d{4}(?:h|hs|hx)\b/i, tdp: 45, ...laptop, idleW: 10, smt: true },
  { name: /ryzen.*\d{4}(?:g?e)\b/i, tdp: 35, ...mini, idleW: 14, smt: true },
  { name: /ryzen (?:9|7 \d{3}0x)|ryzen.*\d{4}x/i, tdp: 100, ...tower, idleW: 38, smt: true },
  { name: /ryzen/i, tdp: 65, ...tower, idleW: 32, smt: true },
  { name: /athlon|sempron|\ba(?:4|6|8|10|12)-/i, tdp: 65, ...old, idleW: 33 },
  { name: /core.*(?:[im]\d?-?\d*y\d*|m3|m5|m7)\b/i, tdp: 6, ...laptop, idleW: 5, smt: true },
  { name: /core.*i\d-\d{4,5}(?:u|g\d)\b/i, tdp: 16, ...laptop, smt: true },
  { name: /core.*i\d-\d{3}(?:m|um|lm|qm)\b|core.*i\d-\d{4}m\b/i, tdp: 35, ...laptop, idleW: 11, smt: true },
  { name: /core.*i\d-\d{4,5}(?:hq|h|hk|qm|mq|xm)\b/i, tdp: 45, ...laptop, idleW: 12, smt: true },
  { name: /core.*i\d-\d{4,5}t\b/i, tdp: 35, ...mini, idleW: 10 },
  { name: /core.*i\d-\d{3,5}k|core.*i[79]-(?:8|9)\d{2}\b/i, tdp: 95, ...tower, idleW: 32, smt: true },
  { name: /core.*i[379]-/i, tdp: 68, ...tower, smt: true },
  { name: /core.*i5-/i, tdp: 75, ...tower },
  { name: /celeron|pentium/i, tdp: 55, ...tower },
];
const tdpShare = 0.7;
const kindErr = 0.35;
/** Who is not in the table: by its cores, from a laptop of two to a server of sixty-four. */
const unknownErr = 0.45;
const exponent = { smt: 0.65, plain: 0.95 } as const;
/** Of the TDP, what the package draws idle. */
const idleOfTdp = 0.06;

const nameOf = ({ cpu = '' }: Processor) => cpu.slice(0, 200).replace(/\((?:r|tm)\)/gi, '');

function kindOf(processor: Processor): Kind {
  const name = nameOf(processor);
  const cores = coresOf(processor);
  const known = kinds.find(kind => kind.name.test(name));
  const arm = /^arm|^aarch/.test(processor.arch ?? '') && !known;
  return (
    known ??
    (arm
      ? { name: /./, tdp: 2 * cores, idleW: 1.5 + cores / 2, efficiency: 0.8 }
      : { name: /./, tdp: Math.min(250, 15 + 10 * cores), idleW: Math.min(60, 10 + 3 * cores), efficiency: 0.82 })
  );
}

const coresOf = ({ cores = 2 }: Processor) => (cores >= 1 ? Math.min(4096, cores) : 1);
const packagesOf = (kind: Kind, processor: Processor) =>
  kind.packageCores === undefined ? 1 : Math.min(8, Math.ceil(coresOf(processor) / kind.packageCores));

const meteredOf = (processor: Processor) => metered.find(({ name }) => name.test(nameOf(processor)));

export function guessOf(processor: Processor): PowerModel {
  const board = meteredOf(processor);
  if (board)
    return { idleW: board.idleW, peakW: board.peakW, exponent: exponent.plain, source: 'guess', err: meteredErr };
  const kind = kindOf(processor);
  const packages = packagesOf(kind, processor);
  const idleW = (kind.idleW * (1 + (packages - 1) / 4)) / kind.efficiency;
  return {
    idleW,
    peakW: idleW + (tdpShare * kind.tdp * packages) / kind.efficiency,
    exponent: kind.smt ? exponent.smt : exponent.plain,
    source: 'guess',
    err: kinds.includes(kind) ? kindErr : unknownErr,
  };
}

/** What stands between RAPL's watts, of the processor's package alone, and the wall. */
export function boardOf(processor: Processor): Board {
  const small = meteredOf(processor);
  if (small) return { watts: 0.6 * small.idleW, efficiency: 0.8 };
  const kind = kindOf(processor);
  const packages = packagesOf(kind, processor);
  const idle = kind.idleW * (1 + (packages - 1) / 4);
  return { watts: Math.max(2, idle - idleOfTdp * kind.tdp * packages), efficiency: kind.efficiency };
}
