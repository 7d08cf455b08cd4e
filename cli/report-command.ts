/** `hearth report` in the command's grammar. */
import type { Command } from 'commander';
import type { ReportFlags } from './commands/report.ts';
import { clientOptions, exits } from './options.ts';

export function reportCommand(hearth: Command): void {
  clientOptions(hearth.command('report').description('how the cluster is: nodes, what is not as wanted, and checks'))
    .option('--json', 'as JSON (docs/checks.md)')
    .option('--html', 'as one HTML file, for a browser or a printer')
    .option('--out <FILE>', 'write it there; a name that ends in .json or .html says how')
    .option('--node <ID>', 'only this node')
    .option('--fail-on <SEVERITY>', 'exit with 1 where something is wrong that weighs at least: warning or critical')
    .action(exits(async (flags: ReportFlags) => (await import('./commands/report.ts')).report(flags)));
}
