/** What a bench hands back, and how it gets to the terminal, to a JSON file and into docs/performance.md. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { machineLine, neighbourLoad, today } from './machine.ts';
import { markdownTable, type Table, textTable } from './table.ts';

export interface Report {
  /** The bench's name on the command line. */
  readonly name: string;
  readonly title: string;
  /** "Mosquitto 2.0.11", "aedes 2.0.0-beta.1", … */
  readonly versions: readonly string[];
  /** Rounds, seconds, pinning, settings: what somebody needs to repeat it. */
  readonly conditions: readonly string[];
  readonly tables: readonly Table[];
  /** What to know when reading the tables, one sentence each. */
  readonly notes: readonly string[];
  /** The raw figures of every round, for --json. */
  readonly raw: unknown;
}

/** Options every bench understands. */
export interface BenchOptions {
  readonly rounds?: number;
  /** A few seconds per case: for tuning, not for docs/performance.md. */
  readonly quick: boolean;
  /** Cases to run; empty: all. */
  readonly only: readonly string[];
  /** Folder for `--cpu-prof` profiles of the measured process. */
  readonly profile?: string;
}

export const conditionsLine = (): string => `${today()} · ${machineLine()} · Node ${process.versions.node} · ${load}`;
// Read once, at the start, before the bench itself is the load.
const load = neighbourLoad();

export function textReport(report: Report): string {
  const head = [report.title, conditionsLine(), report.versions.join(' · '), ...report.conditions];
  return [...head, '', ...report.tables.map(table => `${textTable(table)}\n`), ...report.notes].join('\n');
}

const file = join(import.meta.dirname, '../../docs/performance.md');
const opening = `# Performance

The last results of \`npm run bench -- <name> --write\`, good and bad, as they came out. Trust the ratios: the peer ran in the same
run, in turns with Hearth, on the same machine. A section is replaced whole when its bench is run again.
`;

/** Replaces this bench's section of docs/performance.md, or adds it at the end. */
export function writeSection(report: Report): void {
  const [start, end] = [`<!-- bench ${report.name} -->`, `<!-- end ${report.name} -->`];
  const lines = [`${conditionsLine()}  `, `${report.versions.join(' · ')}  `, report.conditions.join('; ')];
  const tables = report.tables.map(table => `${markdownTable(table)}\n`);
  const notes = report.notes.length > 0 ? ['', ...report.notes.map(note => `- ${note}`)] : [];
  const section = [start, `## ${report.title}`, '', ...lines, '', ...tables, ...notes, end].join('\n');
  const old = existsSync(file) ? readFileSync(file, 'utf8') : opening;
  const from = old.indexOf(start);
  const to = old.indexOf(end);
  const text =
    from >= 0 && to > from ? old.slice(0, from) + section + old.slice(to + end.length) : `${old}\n${section}\n`;
  writeFileSync(file, text);
}
