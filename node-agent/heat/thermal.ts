/** How much of the heat that is asked for a processor's temperature allows. Pure. */
import { heatDefaults } from '../../shared/schemas/heat.ts';

export interface Thermal {
  /** Share that is allowed, 0 to 1. */
  readonly share: number;
  /** It was too hot, and has not cooled down yet. */
  readonly off: boolean;
}

export const coolThermal: Thermal = { share: 1, off: false };

/** Degrees below the limit at which it begins again. */
const backBelowC = 3;
/** Share per second by which it comes back; it goes at once. */
const risePerS = 0.05;

/**
 * Proportionally less from `maxC` on, nothing 8 °C above, and from there nothing until it is 3 °C below `maxC`.
 * A machine without a sensor is as told; where one has shown nothing this time, what it showed last holds.
 */
export function thermal(before: Thermal, tempC: number | undefined, maxC: number, dtS: number): Thermal {
  if (tempC === undefined || !Number.isFinite(tempC)) return before;
  const off = tempC >= maxC + heatDefaults.off_above_c || (before.off && tempC > maxC - backBelowC);
  if (off) return { share: 0, off };
  const allowed = Math.min(1, Math.max(0, 1 - (tempC - maxC) / heatDefaults.off_above_c));
  return { share: Math.min(allowed, before.share + risePerS * Math.max(0, dtS)), off };
}
