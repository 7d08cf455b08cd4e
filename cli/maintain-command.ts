import type { Command } from 'commander';
import type { MaintainFlags } from './commands/maintain.ts';
import { clientOptions, exits } from './options.ts';

export function maintainCommand(hearth: Command): void {
  clientOptions(
    hearth
      .command('maintain')
      .description('upgrade and reboot nodes, one at a time; stops at the first that is not well'),
  )
    .argument('<nodes...>', 'ids, @ROLE, or all')
    .option('--upgrade', 'upgrade all packages of the system')
    .option('--reboot', 'reboot, and see to it that it really did')
    .option('--upgrade-time <MINUTES>', 'how long an upgrade may take (default: 60)')
    .option('--reboot-time <SECONDS>', 'how long a node may be away (default: 600)')
    .option('--well-time <SECONDS>', 'how long it may take to be well (default: 120)')
    .option('--dry-run', 'show what would be done to whom')
    .action(
      exits(async (nodes: string[], flags: MaintainFlags) =>
        (await import('./commands/maintain.ts')).maintain(nodes, flags),
      ),
    );
}
