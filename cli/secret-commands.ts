/** `hearth secret` in the command's grammar. */
import type { Command } from 'commander';
import { adminOptions, clientOptions, exits } from './options.ts';

export function secretCommands(hearth: Command): void {
  const secret = hearth.command('secret').description('values that only one node can read');
  const set = secret.command('set').description("seal a value to a node, and set it in a service's environment");
  adminOptions(clientOptions(set))
    .argument('<node>', 'id of the node')
    .argument('<key>', 'SERVICE.env.NAME; the value is asked for, or read from standard input')
    .argument('[value...]', 'never here, where other users see it')
    .option('--print', 'print the sealed value instead of setting it')
    .option('--wait', 'until the node has done it')
    .option('--timeout <SECONDS>', 'how long --wait waits (default: 60)')
    .action(
      exits(async (node, key, value, flags) =>
        (await import('./commands/secret.ts')).setSecret(node, key, value, flags),
      ),
    );
}
