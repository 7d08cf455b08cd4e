/**
 * What a machine draws now, by the best that is known: a plug, the processor's own counter (RAPL), its model. Pure.
 *
 * RAPL is the processor's package alone: no memory on many machines, no disks, no board, no power supply. It becomes the machine's
 * draw by the line that a calibration found between the two; else as `(package + board) / efficiency` by the kind of machine:
 * 20 % of the whole and half of the board, which nobody measured, are its error.
 */
import type { WattsSource } from '../../../shared/schemas/heat.ts';
import type { Draw, PowerModel } from '../types.ts';
import type { Board } from './guess.ts';
import { mostNodeW, wattsOf } from './model.ts';

/** Older than this a reading is none. */
export const staleMs = 120_000;
/** A plug contradicts the machine for so long before it is not believed: it is late by up to a minute itself. */
const doubtMs = 90_000;
/** Of a plug from the shop: its class, and what it cannot see of small loads. */
const meterErr = { share: 0.03, watts: 0.5 };
const raplErr = { share: 0.2, board: 0.5, calibrated: 0.06 };
/** What the same busy cores draw differs by what they do: vector units, memory. */
const workErr = 0.05;
/** A machine that is up draws more than this. */
const leastW = 0.3;
/** A plug that shows less than this share of the package's watts is not the machine's. */
const raplShare = 0.95;

export interface Reading {
  readonly watts: number;
  /** Monotonic ms of its arrival. */
  readonly atMs: number;
}

export interface DrawInput {
  readonly now: number;
  readonly meter?: Reading | undefined;
  /** Of the package. */
  readonly rapl?: Reading | undefined;
  readonly model: PowerModel;
  readonly board: Board;
  /** Undefined: the machine did not say yet. */
  readonly busyShare?: number | undefined;
  readonly mhzRatio?: number | undefined;
}

export interface DrawState {
  /** Since when the plug contradicts the machine. */
  readonly doubtAt?: number;
}

export interface Drawn extends Draw {
  /** One sentence: why the plug is not believed. */
  readonly why?: string;
}

const fresh = (reading: Reading | undefined, now: number): reading is Reading =>
  reading !== undefined && now - reading.atMs <= staleMs && reading.watts >= 0 && reading.watts <= mostNodeW;

function ofRapl(package_: number, { model, board }: DrawInput): Draw {
  const source: WattsSource = 'rapl';
  if (model.rapl) {
    const watts = model.rapl.base + model.rapl.slope * package_;
    return { watts, source, errW: raplErr.calibrated * watts };
  }
  const watts = (package_ + board.watts) / board.efficiency;
  return { watts, source, errW: raplErr.share * watts + (raplErr.board * board.watts) / board.efficiency };
}

function ofModel({ model, busyShare, mhzRatio }: DrawInput): Draw {
  const source: WattsSource = 'model';
  if (busyShare === undefined) {
    const watts = (model.idleW + model.peakW) / 2;
    return { watts, source, errW: (model.peakW - model.idleW) / 2 + model.err * watts };
  }
  const watts = wattsOf(model, busyShare, mhzRatio);
  return { watts, source, errW: (model.err + workErr) * watts };
}

/**
 * The draw now, and what to hand in next time. A plug comes first; RAPL next; a model last, except that one which a plug
 * taught is better than RAPL with a guessed board.
 */
export function drawOf(before: DrawState, input: DrawInput): { readonly state: DrawState; readonly draw: Drawn } {
  const { now, model } = input;
  const rapl = fresh(input.rapl, now) ? input.rapl : undefined;
  const other = rapl && (model.rapl || model.source !== 'learned') ? ofRapl(rapl.watts, input) : ofModel(input);
  if (!fresh(input.meter, now)) return { state: {}, draw: other };
  const { watts } = input.meter;
  const why = contradictionOf(watts, rapl?.watts);
  const metered: Draw = { watts, source: 'meter', errW: meterErr.share * watts + meterErr.watts };
  if (why === undefined) return { state: {}, draw: metered };
  const doubtAt = before.doubtAt !== undefined && before.doubtAt <= now ? before.doubtAt : now;
  return { state: { doubtAt }, draw: now - doubtAt >= doubtMs ? { ...other, why } : metered };
}

function contradictionOf(watts: number, rapl: number | undefined): string | undefined {
  const w = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} W`;
  if (rapl !== undefined && watts < raplShare * rapl - 1)
    return `its plug shows ${w(watts)}, its processor alone draws ${w(rapl)}: see whether the plug is this machine’s, and whether it runs on its battery`;
  if (watts < leastW)
    return 'its plug shows no power while it runs: see whether the plug is this machine’s, and whether it runs on its battery';
  return undefined;
}
