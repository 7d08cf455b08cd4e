/** The embedded broker against Mosquitto: the same generator, in turns, one round after the other. */
import { mkdirSync } from 'node:fs';
import type { BenchCase, Sample, Spans } from './broker/case.ts';
import { connectsCase } from './broker/connects.ts';
import { type Contender, hearth, mosquitto, mosquittoSettings } from './broker/contenders.ts';
import { fanInCases } from './broker/fan-in.ts';
import { fanOutCases } from './broker/fan-out.ts';
import { retainedCase } from './broker/retained.ts';
import { roundTripCase } from './broker/round-trip.ts';
import { pinning, pinSelf } from './pin.ts';
import type { BenchOptions, Report } from './report.ts';
import { median, verdict } from './statistics.ts';
import { figure, type Table } from './table.ts';

const cases: readonly BenchCase[] = [...fanInCases, ...fanOutCases, roundTripCase, retainedCase, connectsCase];

interface Outcome {
  readonly round: number;
  readonly case: string;
  readonly broker: string;
  readonly sample?: Sample;
  readonly error?: string;
}

async function once(contender: Contender, bench: BenchCase, round: number, spans: Spans): Promise<Outcome> {
  const what = { round, case: bench.name, broker: contender.name };
  const broker = await contender.start(`${bench.name}-${round}`);
  try {
    const sample = await bench.run(broker, spans);
    return { ...what, sample };
  } catch (error) {
    return { ...what, error: (error as Error).message };
  } finally {
    await broker.stop();
  }
}

function tableOf(chosen: readonly BenchCase[], outcomes: readonly Outcome[]): Table {
  const rows = chosen.flatMap(bench => {
    const failed = outcomes.filter(outcome => outcome.case === bench.name && outcome.error);
    const rows = bench.figures.map(({ key, label, ratioAtMost, atMost }) => {
      const of = (broker: string) =>
        outcomes.filter(outcome => outcome.case === bench.name && outcome.broker === broker && outcome.sample);
      const values = (broker: string) => of(broker).map(outcome => outcome.sample?.[key] ?? Number.NaN);
      const [ours, theirs] = [median(values('hearth')), median(values('mosquitto'))];
      // The ratio of every round by itself, then the median: what slows a whole round falls out.
      const ratio = median(
        of('hearth').map(({ round, sample }) => {
          const peer = of('mosquitto').find(outcome => outcome.round === round);
          return (sample?.[key] ?? Number.NaN) / (peer?.sample?.[key] ?? Number.NaN);
        }),
      );
      const ratioText = Number.isFinite(ratio) ? `${ratio.toFixed(2)} ×` : '–';
      const target = ratioAtMost !== undefined ? `≤ ${ratioAtMost} ×` : atMost !== undefined ? `≤ ${atMost}` : '';
      const judged =
        ratioAtMost !== undefined ? verdict(ratio, ratioAtMost) : atMost !== undefined ? verdict(ours, atMost) : '';
      return [bench.title, label, figure(ours), figure(theirs), ratioText, target, judged];
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
  const columns = ['case', 'figure', 'Hearth', 'Mosquitto', 'ratio', 'target', ''];
  return { title: 'Embedded broker against Mosquitto', columns, rows };
}

export async function run(options: BenchOptions): Promise<Report> {
  const spans = options.quick ? { warmMs: 1000, measureMs: 1500 } : { warmMs: 2000, measureMs: 4000 };
  const rounds = options.rounds ?? (options.quick ? 1 : 5);
  const matches = (bench: BenchCase) => options.only.some(word => bench.name.startsWith(word));
  const chosen = cases.filter(bench => options.only.length === 0 || matches(bench));
  if (chosen.length === 0) throw new Error(`no such case; there are: ${cases.map(bench => bench.name).join(', ')}`);
  if (options.profile) mkdirSync(options.profile, { recursive: true });

  const ours = await hearth(options.profile);
  const peer = mosquitto();
  if (!peer) console.log('mosquitto is not installed: no peer in this run (apt install mosquitto)');
  const contenders = peer ? [ours, peer] : [ours];
  pinSelf(1);
  const outcomes: Outcome[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const bench of chosen) {
      // Who goes first changes every round.
      for (const contender of round % 2 === 1 ? contenders : contenders.toReversed()) {
        const outcome = await once(contender, bench, round, spans);
        outcomes.push(outcome);
        const figures = Object.entries(outcome.sample ?? {}).map(([key, value]) => `${key} ${figure(value)}`);
        console.log(`round ${round} ${bench.name} ${contender.name}: ${outcome.error ?? figures.join(', ')}`);
      }
    }
  }
  const seconds = `${spans.warmMs / 1000} s warm-up and ${spans.measureMs / 1000} s measured per case`;
  return {
    name: 'broker',
    title: 'Broker',
    versions: contenders.map(contender => contender.version),
    conditions: [
      pinning('broker'),
      `median of ${rounds} round${rounds === 1 ? '' : 's'}, brokers in turns, a fresh process each, ${seconds}`,
      `mosquitto.conf: ${mosquittoSettings.join(', ')}`,
    ],
    tables: [tableOf(chosen, outcomes)],
    notes: [
      'CPU is user and system time of the broker process, all threads. Ratios are medians of the ratios within each round.',
      'Throughput is bounded by the generator (one Node process) wherever a broker needs less CPU per message than it does.',
      'Fan-out at full rate keeps 50 messages under way, and Hearth then writes many to a listener in one system call, where Mosquitto writes each; the cases with one message at a time show both without that.',
      'The frozen listener never reads, and 16 kB messages fill its socket buffers early in the run. A pause is the time between two messages to one listener; it is compared with the same run without a frozen one.',
    ],
    raw: outcomes,
  };
}
