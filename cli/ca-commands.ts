/** `hearth ca` and `hearth ssh` in the command's grammar. */
import type { Command } from 'commander';
import { adminOptions, exits } from './options.ts';

export function caCommands(hearth: Command): void {
  authorityCommands(hearth.command('ca').description("the cluster's certificate authority"));
  sshCommands(hearth.command('ssh').description('SSH certificates of hosts and users, for a week'));
}

function authorityCommands(ca: Command): void {
  const load = () => import('./commands/ca.ts');
  adminOptions(ca.command('show').description('who signs, and what the server shows of itself'))
    .option('--json', 'everything that is known, as JSON')
    .option('--pem', 'the CA certificates, for browsers and other programs')
    .action(exits(async flags => (await load()).show(flags)));
  adminOptions(
    ca.command('rotate').description('a new CA issues; the old one stays trusted until it is retired'),
  ).action(exits(async flags => (await load()).rotate(flags)));
  adminOptions(ca.command('retire').description('trust the CA no more that was replaced, a week later or after'))
    .option('--compromised', 'at once, and not even for renewal: its key is in wrong hands')
    .action(exits(async flags => (await load()).retire(flags)));
  adminOptions(ca.command('renew-server').description('a new key and certificate for the server, now')).action(
    exits(async flags => (await load()).renewServer(flags)),
  );
}

function sshCommands(ssh: Command): void {
  const load = () => import('./commands/ssh.ts');
  adminOptions(ssh.command('sign').description('sign a public key for a week; writes KEY-cert.pub beside it'))
    .argument('<KEY.pub>', 'file with the public key')
    .option('--user <NAMES>', 'login names that its owner may use, by commas')
    .option('--host <NAMES>', 'names and addresses of the machine whose key it is, by commas')
    .option('--out <FILE>', 'where the certificate goes')
    .action(exits(async (key, flags) => (await load()).sign(key, flags)));
  adminOptions(ssh.command('ca').description("the key that signs, for sshd's TrustedUserCAKeys"))
    .option('--known-hosts', 'as a line for known_hosts, by which ssh believes every host of the cluster')
    .action(exits(async flags => (await load()).ca(flags)));
}
