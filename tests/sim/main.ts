/** `npm run sim`: the whole fabric in virtual time, run by run from its seed. */
import { argumentsOf, refuse } from '../command-line.ts';
import { report } from './report.ts';
import { run } from './run.ts';
import { breakages } from './world.ts';

const usage = `npm run sim -- [--seed S] [--nodes N] [--runs R] [--kind embedded|outside] [--break NAME] [--trace]
  --runs    so many seeds, from --seed on
  --break   without one safeguard: ${breakages.join(', ')}
  --trace   every message`;

const { values } = argumentsOf(usage, {
  options: {
    seed: { type: 'string', default: '1' },
    nodes: { type: 'string' },
    runs: { type: 'string', default: '1' },
    kind: { type: 'string' },
    break: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});

const whole = (name: string, text: string): number => {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) refuse(usage, `--${name} ${text}: give a whole number`);
  return number;
};
const oneOf = <T extends string>(name: string, text: string | undefined, all: readonly T[]): T | undefined => {
  const found = all.find(each => each === text);
  if (text !== undefined && found === undefined) refuse(usage, `--${name} ${text}: use one of ${all.join(', ')}`);
  return found;
};

const first = whole('seed', values.seed);
const runs = whole('runs', values.runs);
const nodes = values.nodes === undefined ? undefined : whole('nodes', values.nodes);
const kind = oneOf('kind', values.kind, ['embedded', 'outside'] as const);
const breaks = oneOf('break', values.break, breakages);

const started = performance.now();
let failed = 0;
let steps = 0;
let virtual = 0;
for (let seed = first; seed < first + runs; seed++) {
  const options = { seed, nodes, kind, breaks };
  const outcome = run({ ...options, keepTrace: values.trace });
  steps += outcome.steps;
  virtual += outcome.lasted;
  if (outcome.violation || values.trace || runs === 1) console.log(report(options, outcome));
  if (outcome.violation && ++failed === 10) break;
}
const seconds = (performance.now() - started) / 1000;
console.log(
  `${runs} runs, ${failed} failed; ${(virtual / 3_600_000).toFixed(2)} h of virtual time, ${steps} steps, ${seconds.toFixed(1)} s`,
);
process.exit(failed > 0 ? 1 : 0);
