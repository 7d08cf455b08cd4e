/** `hearth backup` and `hearth restore` in the command's grammar. */
import type { Command } from 'commander';
import { settings } from '../shared/schemas/config.ts';
import { adminOptions, exits, option } from './options.ts';

export function backupCommands(hearth: Command): void {
  const load = () => import('./commands/backup.ts');
  adminOptions(hearth.command('backup').description('the running cluster as one file: documents, users, keys'))
    .argument('[file]', 'where it goes; "-" is standard output (default: hearth-backup-DAY.gz here)')
    .option('--force', 'write over a file that is there')
    .action(exits(async (file, flags) => (await load()).backup(file, flags)));
  hearth
    .command('restore')
    .description('a data folder from a backup, on this machine: same trust, raised generation')
    .argument('<file>', 'the backup; "-" is standard input')
    .addOption(option(settings.data, 'the new data folder'))
    .action(exits(async (file, flags) => (await load()).restore(file, flags)));
}
