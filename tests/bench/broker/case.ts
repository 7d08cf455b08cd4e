/** What a case of the broker bench is, and the measuring that they share. */
import type { RunningBroker } from './contenders.ts';

export interface Spans {
  /** Unmeasured start, for both brokers: connections, caches, a just-in-time compiler. */
  readonly warmMs: number;
  readonly measureMs: number;
}

/** One round's figures by name; the units are in the case's `figures`. */
export type Sample = Record<string, number>;

export interface Figure {
  readonly key: string;
  readonly label: string;
  /** Most that ours may be, as a ratio to the peer's … */
  readonly ratioAtMost?: number;
  /** … or in itself. */
  readonly atMost?: number;
}

export interface BenchCase {
  readonly name: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  run(broker: RunningBroker, spans: Spans): Promise<Sample>;
}

export const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

/** CPU microseconds per counted thing and things per second, after the warm-up. */
export async function meter(broker: RunningBroker, spans: Spans, count: () => number): Promise<Sample> {
  await pause(spans.warmMs);
  const [from, cpuFrom, countFrom] = [performance.now(), broker.cpuMicros(), count()];
  await pause(spans.measureMs);
  const [cpuTo, countTo, to] = [broker.cpuMicros(), count(), performance.now()];
  const things = countTo - countFrom;
  return {
    cpuUs: (cpuTo - cpuFrom) / things,
    perSecond: (things * 1000) / (to - from),
    corePct: (cpuTo - cpuFrom) / (to - from) / 10,
  };
}

/** Waits until `outstanding` is 0, or has not changed for two seconds: what is left then is lost. */
export async function drain(outstanding: () => number): Promise<number> {
  let [seen, since] = [outstanding(), performance.now()];
  while (seen > 0 && performance.now() - since < 2000) {
    await pause(20);
    if (outstanding() !== seen) [seen, since] = [outstanding(), performance.now()];
  }
  return outstanding();
}
