/** `hearth logs` in the command's grammar. */
import type { Command } from 'commander';
import { clientOptions, exits } from './options.ts';

export function logsCommand(hearth: Command): void {
  clientOptions(hearth.command('logs').description('what services print: the last lines, or live'))
    .argument('<service...>', 'NODE/SERVICE, several of them, or NODE SERVICE')
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .option('-n, --lines <N>', 'how many of the last lines (default: 20)')
    .action(exits(async (services, flags) => (await import('./commands/logs.ts')).logs(services, flags)));
}
