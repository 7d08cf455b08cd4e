/**
 * `npm run bench -- <name>`: measures, prints tables with the peer beside ours, and says which target was reached.
 * To add one: a file beside this that exports `run(options): Promise<Report>`, and a line in `benches`.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { argumentsOf, refuse } from '../command-line.ts';
import { type BenchOptions, type Report, textReport, writeSection } from './report.ts';

interface Bench {
  run(options: BenchOptions): Promise<Report>;
}

const benches: Record<string, () => Promise<Bench>> = {
  agent: () => import('./agent.ts'),
  broker: () => import('./broker.ts'),
  converge: () => import('./converge.ts'),
  fleet: () => import('./fleet.ts'),
  heat: () => import('./heat.ts'),
  jobs: () => import('./jobs.ts'),
  reconcile: () => import('./reconcile.ts'),
  tls: () => import('./tls.ts'),
};

const usage = `npm run bench -- <name> [--rounds N] [--quick] [--only CASE[,CASE]] [--json FILE] [--write] [--profile FOLDER]
  names: ${Object.keys(benches).join(', ')}
  --quick     about a second per case, one round: for tuning
  --only      cases by name, or the beginning of names
  --json      every round's figures
  --write     replaces this bench's section of docs/performance.md
  --profile   V8 CPU profiles of Hearth's process, one per case`;

const { values, positionals } = argumentsOf(usage, {
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    json: { type: 'string' },
    write: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
});
const [name = '', ...rest] = positionals;
const load = benches[name];
if (!load) refuse(usage, name ? `no bench is called ${JSON.stringify(name)}` : 'which bench?');
if (rest.length > 0) refuse(usage, `one bench at a time: ${rest.join(' ')}`);
const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0 && rounds < 100))
  refuse(usage, '--rounds takes 1 to 99');

const bench = await load();
const report = await bench.run({
  quick: values.quick,
  only: values.only.flatMap(list => list.split(',')),
  ...(rounds !== undefined && { rounds }),
  ...(values.profile !== undefined && { profile: resolve(values.profile) }),
});
console.log(`\n${textReport(report)}`);
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
if (values.write) writeSection(report);
process.exit(0);
