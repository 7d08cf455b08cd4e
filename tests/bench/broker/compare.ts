/** Contenders in turns, case by case and round by round, each in a fresh process; and the table of what came out. */
import { median, percentile, verdict } from '../statistics.ts';
import { figure, type Table } from '../table.ts';
import type { BenchCase, Sample, Spans } from './case.ts';
import type { Contender } from './contenders.ts';

export interface Outcome {
  readonly round: number;
  readonly case: string;
  readonly broker: string;
  readonly sample?: Sample;
  readonly error?: string;
}

export interface Turns {
  readonly rounds: number;
  readonly spans: Spans;
}

async function once(contender: Contender, bench: BenchCase, round: number, spans: Spans): Promise<Outcome> {
  const what = { round, case: bench.name, broker: contender.name };
  const broker = await contender.start(`${contender.name}-${bench.name}-${round}`);
  try {
    const sample = await bench.run(broker, spans);
    return { ...what, sample };
  } catch (error) {
    return { ...what, error: (error as Error).message };
  } finally {
    await broker.stop();
  }
}

export async function inTurns(
  cases: readonly BenchCase[],
  contenders: readonly Contender[],
  { rounds, spans }: Turns,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const bench of cases) {
      // Who goes first changes every round.
      for (const contender of round % 2 === 1 ? contenders : contenders.toReversed()) {
        const outcome = await once(contender, bench, round, spans);
        outcomes.push(outcome);
        const figures = Object.entries(outcome.sample ?? {}).map(([key, value]) => `${key} ${figure(value)}`);
        console.log(`round ${round} ${bench.name} ${contender.name}: ${outcome.error ?? figures.join(', ')}`);
      }
    }
  }
  return outcomes;
}

/** Who is compared: the contender's name, and what the column is called. */
type Side = readonly [name: string, column: string];

/** @param spread shows beside each ratio the middle half of the rounds' ratios: how much of it is chance. */
export function compared(
  title: string,
  cases: readonly BenchCase[],
  outcomes: readonly Outcome[],
  [ours, ourColumn]: Side,
  [peer, peerColumn]: Side,
  spread = false,
): Table {
  const rows = cases.flatMap(bench => {
    const failed = outcomes.filter(outcome => outcome.case === bench.name && outcome.error);
    const rows = bench.figures.map(({ key, label, ratioAtMost, atMost }) => {
      const of = (broker: string) =>
        outcomes.filter(outcome => outcome.case === bench.name && outcome.broker === broker && outcome.sample);
      const values = (broker: string) => of(broker).map(outcome => outcome.sample?.[key] ?? Number.NaN);
      const [mine, theirs] = [median(values(ours)), median(values(peer))];
      // The ratio of every round by itself, then the median: what slows a whole round falls out.
      const ratios = ratiosOf(outcomes, bench.name, key, ours, peer);
      const ratio = median(ratios);
      const middle = spread ? ` (${quartiles(ratios)})` : '';
      const ratioText = Number.isFinite(ratio) ? `${ratio.toFixed(2)} ×${middle}` : '–';
      const target = ratioAtMost !== undefined ? `≤ ${ratioAtMost} ×` : atMost !== undefined ? `≤ ${atMost}` : '';
      const judged =
        ratioAtMost !== undefined ? verdict(ratio, ratioAtMost) : atMost !== undefined ? verdict(mine, atMost) : '';
      return [bench.title, label, figure(mine), figure(theirs), ratioText, target, judged];
    });
    return [
      ...rows,
      ...failed.map(({ broker, round, error }) => [
        bench.title,
        `${broker}, round ${round}: ${error}`,
        '–',
        '–',
        '',
        '',
        'failed',
      ]),
    ];
  });
  const columns = ['case', 'figure', ourColumn, peerColumn, 'ratio', 'target', ''];
  return { title, columns, rows };
}

/** Of one figure, round by round. */
export function ratiosOf(
  outcomes: readonly Outcome[],
  name: string,
  key: string,
  ours: string,
  peer: string,
): readonly number[] {
  const of = (broker: string) => outcomes.filter(outcome => outcome.case === name && outcome.broker === broker);
  return of(ours).map(({ round, sample }) => {
    const other = of(peer).find(outcome => outcome.round === round);
    return (sample?.[key] ?? Number.NaN) / (other?.sample?.[key] ?? Number.NaN);
  });
}

/** Between which two values the middle half lies. */
export function quartiles(values: readonly number[]): string {
  const sorted = values.filter(value => !Number.isNaN(value)).sort((a, b) => a - b);
  return [0.25, 0.75].map(share => percentile(sorted, share).toFixed(2)).join('–');
}
