/** `hearth artifact` in the command's grammar. */
import type { Command } from 'commander';
import { adminOptions, exits } from './options.ts';

export function artifactCommand(hearth: Command): void {
  const load = () => import('./commands/artifact.ts');
  const artifact = hearth.command('artifact').description("files that nodes have from the supervisor's own store");
  adminOptions(artifact.command('put').description('bring files; one that was cut off goes on where it stopped'))
    .argument('<file...>', 'what is brought')
    .option('-q, --quiet', 'print only the source to use, one a line')
    .action(exits(async (files, flags) => (await load()).putArtifacts(files, flags)));
  adminOptions(artifact.command('list').description('what is there, and where it is used'))
    .option('--json', 'everything that is known, as JSON')
    .action(exits(async flags => (await load()).listArtifacts(flags)));
  adminOptions(artifact.command('get').description('fetch one, compared with its hash'))
    .argument('<sha256>', 'its SHA-256, the beginning of it, or its name')
    .option('-o, --output <FILE>', 'where it goes; "-" is standard output (default: its name, here)')
    .option('--force', 'write over a file that is there')
    .action(exits(async (sha256, flags) => (await load()).getArtifact(sha256, flags)));
  adminOptions(artifact.command('rm').description('remove one that no document names'))
    .argument('<sha256>', 'its SHA-256, the beginning of it, or its name')
    .action(exits(async (sha256, flags) => (await load()).removeArtifact(sha256, flags)));
}
