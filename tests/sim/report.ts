/** What a person reads about a run: what was violated, the faults that matter, the events, and how to see it again. */
import { type Outcome, type RunOptions, run } from './run.ts';

/** Leaves faults out one by one as long as the same property still fails. */
function shrink(options: RunOptions, property: string, faults: readonly number[]): Set<number> {
  const without = new Set<number>();
  for (const index of faults) {
    const trial = new Set([...without, index]);
    if (run({ ...options, without: trial }).violation?.property === property) without.add(index);
  }
  return without;
}

const lastLines = 120;

export function report(options: RunOptions, outcome: Outcome): string {
  const { violation } = outcome;
  const head = `seed ${outcome.seed}: ${outcome.kind} broker, ${outcome.nodes} nodes, ${(outcome.lasted / 1000).toFixed(1)} s, ${outcome.answers} answers, trace ${outcome.traceHash.toString(16)}`;
  if (!violation) return [...outcome.trace, head].join('\n');
  const without = shrink(
    options,
    violation.property,
    outcome.faults.map(fault => fault.index),
  );
  const shown = outcome.trace.length > 0 ? outcome : run({ ...options, keepTrace: true, without });
  const needed = outcome.faults.filter(fault => !without.has(fault.index));
  const again = [
    'npm run sim --',
    `--seed ${outcome.seed}`,
    options.nodes === undefined ? '' : `--nodes ${options.nodes}`,
    options.kind === undefined ? '' : `--kind ${options.kind}`,
    options.breaks === undefined ? '' : `--break ${options.breaks}`,
    '--trace',
  ];
  return [
    ...(outcome.trace.length > 0 ? shown.trace : shown.trace.slice(-lastLines)),
    head,
    `VIOLATED ${violation.property} at ${(violation.at / 1000).toFixed(3)} s: ${violation.text}`,
    `faults it needs: ${needed.map(fault => `${fault.index} ${fault.kind} (${(fault.at / 1000).toFixed(1)} s, ${Math.round(fault.ms)} ms)`).join('; ') || 'none'}`,
    `the same run again: ${again.filter(word => word !== '').join(' ')}`,
  ].join('\n');
}
