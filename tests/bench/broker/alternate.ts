/**
 * Two contenders on one core at the same time, a moment each in turns, the other one stopped: whatever else the machine
 * has to do is done to both. For differences of a few hundredths, which are lost between two runs one after the other.
 * The cases' loops are closed, so that nothing piles up for who stands still. Rates mean nothing here.
 */
import { figure } from '../table.ts';
import type { BenchCase, Sample } from './case.ts';
import type { Outcome, Turns } from './compare.ts';
import type { Contender, RunningBroker } from './contenders.ts';

/** Short beside what a neighbour does, long beside what a switch costs. */
const sliceMs = 150;

type Pair = readonly [Contender, Contender];

async function together(bench: BenchCase, pair: Pair, round: number, spans: Turns['spans']): Promise<Outcome[]> {
  // Whatever comes of being connected first comes to both as often.
  const [first, second] = round % 2 === 1 ? pair : [pair[1], pair[0]];
  const start = (each: Contender) => each.start(`${each.name}-${bench.name}-${round}`);
  const started = await Promise.all([start(first), start(second)]);
  const [a, b] = started;
  let turn = false;
  const change = () => {
    turn = !turn;
    process.kill((turn ? b : a).pid, 'SIGSTOP');
    process.kill((turn ? a : b).pid, 'SIGCONT');
  };
  const timer = setInterval(change, sliceMs);
  const outcome = async (contender: Contender, broker: RunningBroker): Promise<Outcome> => {
    const what = { round, case: bench.name, broker: contender.name };
    try {
      return { ...what, sample: await bench.run(broker, spans) };
    } catch (error) {
      return { ...what, error: (error as Error).message };
    }
  };
  try {
    return await Promise.all([outcome(first, a), outcome(second, b)]);
  } finally {
    clearInterval(timer);
    for (const broker of started) process.kill(broker.pid, 'SIGCONT');
    for (const broker of started) await broker.stop();
  }
}

export async function alternating(
  cases: readonly BenchCase[],
  pair: Pair,
  { rounds, spans }: Turns,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const bench of cases) {
      for (const outcome of await together(bench, pair, round, spans)) {
        outcomes.push(outcome);
        const { cpuUs = Number.NaN, lost = Number.NaN }: Sample = outcome.sample ?? {};
        const said = outcome.error ?? `cpuUs ${figure(cpuUs)}, lost ${figure(lost)}`;
        console.log(`round ${round} ${bench.name} ${outcome.broker}: ${said}`);
      }
    }
  }
  return outcomes;
}
