/**
 * What the parts of heating tell each other. Every part is a pure core that knows no clock, bus or disk: sources read a
 * payload as a number, the room's controller turns degrees into watts, the allocator watts into busy cores of machines, the
 * ledger watts into kWh. `heat.ts` is the adapter around them.
 *
 * Degrees are °C, power is W, energy is kWh (counted in whole mJ), `now` is monotonic ms, `wall` epoch ms.
 */
import type { WattsSource } from '../../shared/schemas/heat.ts';
import type { PresetName } from '../../shared/schemas/room.ts';

/** What a room is to be at one moment: its document with schedule, preset, quiet hours and rules worked out. */
export interface RoomAim {
  readonly room: string;
  /** Undefined: off. */
  readonly targetC: number | undefined;
  /** What people see as the target, also while it is off. */
  readonly shownC: number;
  readonly preset: PresetName;
  readonly mode: 'off' | 'heat';
  readonly limitC: number;
  /** Bound on the room's watts: `max_w` and rules. */
  readonly maxW: number;
  /** Watts that a rule wants at least. */
  readonly minW: number;
  /** What rules make of the controller's watts: 1 leaves them. */
  readonly factor: number;
  readonly priority: number;
  readonly quiet: boolean;
}

/** A thermometer as the room may rely on it. `why` where it may not: nothing is heated then. */
export type Sensed =
  | {
      readonly ok: true;
      readonly c: number;
      readonly ageS: number;
      /** Of a thermometer of coarse steps: it went over this line, between two steps, so long ago. */
      readonly edge?: { readonly c: number; readonly agoS: number };
    }
  | { readonly ok: false; readonly why: string; readonly ageS?: number };

/** What a machine draws as a function of what it does. */
export interface PowerModel {
  readonly idleW: number;
  /** With every core busy. */
  readonly peakW: number;
  /** Of the busy share: `idle + (peak - idle) * share ** exponent`. */
  readonly exponent: number;
  /** Points that a calibration measured between idle and peak, by busy share, where no exponent follows them. */
  readonly curve?: readonly (readonly [share: number, watts: number])[];
  /** The machine's watts by those of RAPL, where a calibration saw both: `base + slope * rapl`. */
  readonly rapl?: { readonly base: number; readonly slope: number };
  readonly source: 'document' | 'learned' | 'guess';
  /** Half the width of its error band, as a share of the watts. */
  readonly err: number;
}

/** Watts as they are known now. */
export interface Draw {
  readonly watts: number;
  readonly source: WattsSource;
  readonly errW: number;
}

/** A machine as the allocator sees it. */
export interface AllocNode {
  readonly node: string;
  readonly room: string;
  readonly cores: number;
  readonly model: PowerModel;
  /** Cores that may be busy for heat: by its document, its room's quiet hours, and its temperature. 0: none. */
  readonly mostCores: number;
  /** Cores that are busy anyway, averaged: jobs and services that do not wait for heat. */
  readonly busyCores: number;
  /** Metered or measured watts, where there are some: trims the model. */
  readonly draw?: Draw;
  readonly minOnMs: number;
  readonly minOffMs: number;
  /** Must be off at once: too hot, drained, room over its limit. Minimum times do not count then. */
  readonly off?: string;
  /** `off` is a person's word: whoever says otherwise is obeyed at once, without a rest. */
  readonly mayReturn?: boolean;
  /** Tasks of class `heat` that run there, or could: where there is useful work, heat is made first. */
  readonly work: number;
}

export interface AllocRoom {
  readonly room: string;
  readonly demandW: number;
  readonly priority: number;
  readonly maxW: number;
  /** When a person last said how warm it is to be, on the clock of `now`: who has stopped before that rests no longer. */
  readonly saidAt?: number | undefined;
}

/** What one machine is told. */
export interface Level {
  readonly node: string;
  /** Busy cores, everything counted; 0: no heat. */
  readonly cores: number;
  /** What it draws then, by its model. */
  readonly watts: number;
  /** Of these, what is for heat: above what it draws anyway. */
  readonly heatW: number;
}

export interface RoomShare {
  readonly room: string;
  /** What its machines draw whatever is asked, and at most. */
  readonly minW: number;
  readonly maxW: number;
  /** What the levels come to. */
  readonly givenW: number;
  /** Why it is less than was asked for, one sentence, where a bound is in the way. */
  readonly why?: string;
}
