/** `hearth rollout` in the command's grammar. */
import type { Command } from 'commander';
import { clientOptions, exits } from './options.ts';

export function rolloutCommand(hearth: Command): void {
  clientOptions(hearth.command('rollout').description('changes to roles: how far they are, and where one failed'))
    .argument('[role]', 'only this role')
    .argument('[verb]', 'pause, resume, abort (back to the document before) or retry')
    .option('--show-failed', 'print what was put back, as it was set')
    .option('--json', 'as JSON')
    .action(exits(async (role, verb, flags) => (await import('./commands/rollout.ts')).rollout(role, verb, flags)));
}
