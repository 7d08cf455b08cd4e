/** `hearth apply` and `hearth export` in the command's grammar. */
import type { Command } from 'commander';
import { adminOptions, clientOptions, exits } from './options.ts';

export function applyCommands(hearth: Command): void {
  adminOptions(
    clientOptions(
      hearth.command('apply').description('make what a file says of roles, nodes and rooms the wanted state'),
    ),
  )
    .requiredOption('-f, --file <FILE>', 'YAML; "-" is standard input')
    .option('--dry-run', 'send nothing, and print what every node would do and every room be told')
    .option('--prune', 'also remove what this file put there before and does not say any more')
    .option('--adopt', "also make the file's what it says and is there already")
    .option('--wait', 'until every node that it touches has done it')
    .option('--timeout <SECONDS>', 'how long --wait waits (default: 60)')
    .option('--json', 'for programs')
    .action(exits(async flags => (await import('./commands/apply.ts')).apply(flags)));

  clientOptions(
    hearth.command('export').description('what was said of roles, nodes and rooms, as a file for hearth apply'),
  )
    .option('-o, --output <FILE>', 'where to (default: standard output)')
    .option(
      '--name <NAME>',
      'name of the file in the documents’ book of what was applied (default: that of -o, or cluster)',
    )
    .action(exits(async flags => (await import('./commands/export.ts')).exportDocuments(flags)));
}
