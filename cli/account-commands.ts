/** `hearth user`, `hearth api` and `hearth audit` in the command's grammar. */
import type { Command } from 'commander';
import { adminOptions, exits } from './options.ts';

const role = 'admin, operator, viewer or integration';

export function accountCommands(hearth: Command): void {
  userCommands(hearth.command('user').description('who may log in, and as what'));
  apiCommands(hearth.command('api').description('tokens with which programs log in'));
  adminOptions(hearth.command('audit').description('who changed what, the newest last'))
    .option('-n, --lines <N>', 'how many lines, 1 to 1000 (default: 50)')
    .option('--json', 'one JSON object per line')
    .action(exits(async flags => (await import('./commands/audit.ts')).audit(flags)));
}

function userCommands(user: Command): void {
  const load = () => import('./commands/user.ts');
  adminOptions(user.command('add').description('add a user; the password is asked for, or the first line of stdin'))
    .argument('<name>')
    .requiredOption('--role <ROLE>', role)
    .option('--no-password', 'comes with a certificate only ("hearth user cert")')
    .action(exits(async (name, flags) => (await load()).add(name, flags)));
  adminOptions(user.command('password').description("change a user's password; sessions and connections end"))
    .argument('<name>')
    .action(exits(async (name, flags) => (await load()).password(name, flags)));
  adminOptions(user.command('role').description("change a user's role; sessions and connections end"))
    .argument('<name>')
    .argument('<role>', role)
    .action(exits(async (name, to, flags) => (await load()).role(name, to, flags)));
  adminOptions(user.command('cert').description('make a key here, and a certificate with which a user connects'))
    .argument('<name>')
    .option('--days <N>', 'until it ends, at most 397 (default: 90)')
    .option('--out <FOLDER>', 'where key and certificates go (default: here)')
    .action(exits(async (name, flags) => (await import('./commands/user-cert.ts')).userCert(name, flags)));
  adminOptions(user.command('revoke').description("end a user's certificates, sessions and connections"))
    .argument('<name>')
    .action(exits(async (name, flags) => (await load()).revoke(name, flags)));
  adminOptions(user.command('remove').description('remove a user, with all that was granted'))
    .argument('<name>')
    .action(exits(async (name, flags) => (await load()).remove(name, flags)));
  adminOptions(user.command('list').description('the users'))
    .option('--json', 'everything that is known, as JSON')
    .action(exits(async flags => (await load()).list(flags)));
}

function apiCommands(api: Command): void {
  const load = () => import('./commands/api.ts');
  adminOptions(api.command('create').description('make a token and print it; nobody can see it again'))
    .argument('<name>', 'what it is for, such as grafana')
    .requiredOption('--role <ROLE>', role)
    .option('--days <N>', 'until it ends; 0: never (default: 365)')
    .action(exits(async (name, flags) => (await load()).create(name, flags)));
  adminOptions(api.command('list').description('the tokens'))
    .option('--json', 'everything that is known, as JSON')
    .action(exits(async flags => (await load()).list(flags)));
  adminOptions(api.command('revoke').description('end a token and what is connected by it'))
    .argument('<name>', 'name or id of the token')
    .action(exits(async (name, flags) => (await load()).revoke(name, flags)));
}
