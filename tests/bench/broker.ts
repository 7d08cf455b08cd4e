/** The embedded broker against Mosquitto: the same generator, in turns, one round after the other. */
import { mkdirSync } from 'node:fs';
import type { BenchCase } from './broker/case.ts';
import { compared, inTurns } from './broker/compare.ts';
import { connectsCase } from './broker/connects.ts';
import { hearth, mosquitto, mosquittoSettings } from './broker/contenders.ts';
import { fanInCases } from './broker/fan-in.ts';
import { fanOutCases } from './broker/fan-out.ts';
import { retainedCase } from './broker/retained.ts';
import { roundTripCase } from './broker/round-trip.ts';
import { pinning, pinSelf } from './pin.ts';
import type { BenchOptions, Report } from './report.ts';

const cases: readonly BenchCase[] = [...fanInCases, ...fanOutCases, roundTripCase, retainedCase, connectsCase];

export async function run(options: BenchOptions): Promise<Report> {
  const spans = options.quick ? { warmMs: 1000, measureMs: 1500 } : { warmMs: 2000, measureMs: 4000 };
  const rounds = options.rounds ?? (options.quick ? 1 : 5);
  const matches = (bench: BenchCase) => options.only.some(word => bench.name.startsWith(word));
  const chosen = cases.filter(bench => options.only.length === 0 || matches(bench));
  if (chosen.length === 0) throw new Error(`no such case; there are: ${cases.map(bench => bench.name).join(', ')}`);
  if (options.profile) mkdirSync(options.profile, { recursive: true });

  const ours = await hearth({ profile: options.profile });
  const peer = mosquitto();
  if (!peer) console.log('mosquitto is not installed: no peer in this run (apt install mosquitto)');
  const contenders = peer ? [ours, peer] : [ours];
  pinSelf(1);
  const outcomes = await inTurns(chosen, contenders, { rounds, spans });
  const seconds = `${spans.warmMs / 1000} s warm-up and ${spans.measureMs / 1000} s measured per case`;
  const title = 'Embedded broker against Mosquitto';
  return {
    name: 'broker',
    title: 'Broker',
    versions: contenders.map(contender => contender.version),
    conditions: [
      pinning('broker'),
      `median of ${rounds} round${rounds === 1 ? '' : 's'}, brokers in turns, a fresh process each, ${seconds}`,
      `mosquitto.conf: ${mosquittoSettings.join(', ')}`,
    ],
    tables: [compared(title, chosen, outcomes, ['hearth', 'Hearth'], ['mosquitto', 'Mosquitto'])],
    notes: [
      'CPU is user and system time of the broker process, all threads. Ratios are medians of the ratios within each round.',
      'Throughput is bounded by the generator (one Node process) wherever a broker needs less CPU per message than it does.',
      'Fan-out at full rate keeps 50 messages under way, and Hearth then writes many to a listener in one system call, where Mosquitto writes each; the cases with one message at a time show both without that.',
      'The frozen listener never reads, and 16 kB messages fill its socket buffers early in the run. A pause is the time between two messages to one listener; it is compared with the same run without a frozen one.',
    ],
    raw: outcomes,
  };
}
