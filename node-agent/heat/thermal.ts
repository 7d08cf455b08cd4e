/** How much of the heat that is asked for a processor's temperature allows. Pure. */
import { heatDefaults } from '../../shared/schemas/heat.ts';

export interface Thermal {
  /** Share that is allowed, 0 to 1. */
  readonly share: number;
  /** It was too hot, and has not cooled down yet. */
  readonly off: boolean;
  /** Seconds since a sensor that was there has shown anything; absent: there was none so far. */
  readonly unseenS?: number;
}

export const coolThermal: Thermal = { share: 1, off: false };

/** A sensor that changes its number is found again within a minute. */
const unseenForS = 90;

/** There was a sensor, and there is none any more: nobody knows how hot it is. */
export const isBlind = ({ unseenS = 0 }: Thermal): boolean => unseenS >= unseenForS;

/** Degrees below the limit at which it begins again. */
const backBelowC = 3;
/** Share per second by which it comes back; it goes at once. */
const risePerS = 0.05;

/**
 * Proportionally less from `maxC` on, nothing 8 °C above, and from there nothing until it is 3 °C below `maxC`.
 * A machine without a sensor is as told. Where one that was there shows nothing, what it showed last holds for 90 s; then
 * there is nothing until it shows something again.
 */
export function thermal(before: Thermal, tempC: number | undefined, maxC: number, dtS: number): Thermal {
  if (tempC === undefined || !Number.isFinite(tempC)) {
    if (before.unseenS === undefined) return before;
    const unseenS = before.unseenS + Math.max(0, dtS);
    return { ...before, unseenS, share: isBlind({ ...before, unseenS }) ? 0 : before.share };
  }
  const off = tempC >= maxC + heatDefaults.off_above_c || (before.off && tempC > maxC - backBelowC);
  if (off) return { share: 0, off, unseenS: 0 };
  const allowed = Math.min(1, Math.max(0, 1 - (tempC - maxC) / heatDefaults.off_above_c));
  return { share: Math.min(allowed, before.share + risePerS * Math.max(0, dtS)), off, unseenS: 0 };
}
