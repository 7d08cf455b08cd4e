/** `hearth token`, `approve`, `deny`, `revoke` and `rule` in the command's grammar. */
import type { Command } from 'commander';
import { adminOptions, exits } from './options.ts';

export function joiningCommands(hearth: Command): void {
  tokenCommands(hearth.command('token'));
  const machines = () => import('./commands/machines.ts');
  placeOptions(
    adminOptions(hearth.command('approve').description('let machines in that wait (hearth nodes --pending)')),
  )
    .argument('<code...>', 'the code that the machine shows; its beginning will do')
    .option('--node <ID>', 'call it so')
    .option('--replace', 'with --node: it goes on as that node, and the machine that was it is shut out')
    .action(exits(async (codes, flags) => (await machines()).approve(codes, flags)));
  adminOptions(hearth.command('deny').description('turn machines away that wait'))
    .argument('<code...>', 'the code that the machine shows; its beginning will do')
    .action(exits(async (codes, flags) => (await machines()).deny(codes, flags)));
  adminOptions(hearth.command('revoke').description("end a node's certificate and connection at once"))
    .argument('<node>')
    .action(exits(async (node, flags) => (await machines()).revoke(node, flags)));
  ruleCommands(hearth.command('rule').description('who is let in without a token, and what nodes are called'));
}

function tokenCommands(token: Command): void {
  const load = () => import('./commands/token.ts');
  adminOptions(token.description('print the line that makes a machine a node'))
    .option('--uses <N>', 'how many machines may join by it (default: 1)')
    .option('--ttl <TIME>', 'how long it is good, such as 30m, 2h, 7d (default: 1h)')
    .option('--node <ID>', 'only for this node, also in the place of the machine that is it now')
    .option('--host <HOST>', 'another name or address of the supervisor than it chooses itself')
    .option('--json', 'as JSON')
    .action(exits(async flags => (await load()).create(flags)));
  adminOptions(token.command('list').description('the join tokens'))
    .option('--json', 'everything that is known, as JSON')
    .action(exits(async (_, command: Command) => (await load()).list(command.optsWithGlobals())));
  adminOptions(token.command('revoke').description('end a join token'))
    .argument('<id>')
    .action(exits(async (id, _, command: Command) => (await load()).revoke(id, command.optsWithGlobals())));
}

function ruleCommands(rule: Command): void {
  const load = () => import('./commands/rule.ts');
  placeOptions(adminOptions(rule.command('add').description('machines for which all conditions hold')))
    .option('--mac <PREFIX>', 'condition: a hardware address that begins so, such as dc:a6:32')
    .option('--subnet <ADDRESS/BITS>', 'condition: it asks from there')
    .option('--arch <ARCH>', 'condition: x64, arm64, arm, …')
    .option('--hostname <PATTERN>', 'condition: its host name; * is any text')
    .option('--approve', 'are let in without a token; what they say of themselves is not proven')
    .option('--node <TEMPLATE>', 'are called so; {n} {hostname} {mac} {machine} {arch} are filled in')
    .action(exits(async flags => (await load()).add(flags)));
  adminOptions(rule.command('list').description('the rules; each attribute comes from the first one that fits'))
    .option('--json', 'everything that is known, as JSON')
    .action(exits(async flags => (await load()).list(flags)));
  adminOptions(rule.command('remove').description('remove a rule; who joined by it stays'))
    .argument('<number>')
    .action(exits(async (number, flags) => (await load()).remove(number, flags)));
}

const placeOptions = (command: Command): Command =>
  command
    .option('--room <ROOM>', 'the room it stands in')
    .option('--zone <ZONE>', 'the zone it belongs to')
    .option('--roles <ROLES>', 'what it is for, comma-separated');
