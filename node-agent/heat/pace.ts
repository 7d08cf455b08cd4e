/**
 * How long a burner that nothing else dims works and sleeps in turn, so that each of its processes uses a share of its
 * core. What a loop costs is learned from what was used: machines differ by ten, and change their clock rate. Pure.
 */
export interface Pace {
  readonly loops: number;
  /** Seconds. */
  readonly pause: number;
}

/** Of work and sleep together; small, so that it is even. */
const periodS = 0.1;
const mostLoops = 1_000_000;
const firstLoops = 1000;
/** From here on it does not sleep any more. */
const whole = 0.97;

export const firstPace = (share: number): Pace => ({ loops: firstLoops, pause: pauseFor(share) });

/** @param wanted share of a core, @param used the share that the pace before came to. */
export function pace({ loops, pause }: Pace, wanted: number, used: number): Pace {
  const share = Math.min(1, Math.max(0, Number.isFinite(wanted) ? wanted : 0));
  // Without sleep it says nothing of what loops cost.
  if (share >= whole || pause === 0) return { loops: Math.max(loops, firstLoops), pause: pauseFor(share) };
  const ratio = odds(share) / odds(Number.isFinite(used) ? used : share);
  const next = Math.max(loops, 10) * Math.min(4, Math.max(0.25, ratio));
  return { loops: Math.round(Math.min(mostLoops, next)), pause: pauseFor(share) };
}

/** Work for each second of sleep. */
const odds = (share: number): number => {
  const bounded = Math.min(0.98, Math.max(0.005, share));
  return bounded / (1 - bounded);
};

const pauseFor = (share: number): number =>
  share >= whole ? 0 : Math.round(Math.max(0.002, periodS * (1 - Math.max(0, share))) * 1000) / 1000;
