#!/usr/bin/env node
/** The `hearth` command. Commands load when they run, so that `--version` does not wait for a broker library. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { printable } from '../shared/names.ts';
import { settings } from '../shared/schemas/config.ts';
import { UserError } from '../shared/user-error.ts';
import { accountCommands } from './account-commands.ts';
import { applyCommands } from './apply-commands.ts';
import { artifactCommand } from './artifact-command.ts';
import { backupCommands } from './backup-commands.ts';
import { brokerAclCommand } from './broker-acl-command.ts';
import { caCommands } from './ca-commands.ts';
import type { NodesFlags } from './commands/nodes.ts';
import { jobCommand } from './job-command.ts';
import { joiningCommands } from './joining-commands.ts';
import { logsCommand } from './logs-command.ts';
import { maintainCommand } from './maintain-command.ts';
import { adminOptions, clientOptions, exits, option } from './options.ts';
import { reportCommand } from './report-command.ts';
import { rolloutCommand } from './rollout-command.ts';
import { roomCommand } from './room-command.ts';
import { runCommand } from './run-command.ts';
import { secretCommands } from './secret-commands.ts';
import { version } from './version.ts';

/** Where the built program lies; run from the sources, it is beside them. */
const dist = existsSync(join(import.meta.dirname, 'agent.js'))
  ? import.meta.dirname
  : join(import.meta.dirname, '../dist');

function program(): Command {
  const hearth = new Command('hearth')
    .description('Old computers as one cluster, driven over MQTT.')
    .version(version, '-V, --version')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`hearth: ${text.replace(/^error: /, '')}`) });

  const up = hearth.command('up').description('start the supervisor with its broker, and a node on this machine');
  for (const setting of Object.values(settings)) up.addOption(option(setting));
  up.action(exits(async (flags: object) => (await import('./commands/up.ts')).up(flags, dist)));

  hearth
    .command('agent')
    .description('make this machine a node of the cluster at --broker')
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .argument('[flags...]')
    .action(exits(async (flags: string[]) => (await import('./commands/agent.ts')).agent(flags, dist)));

  hearth
    .command('adopt')
    .description("move this machine's node to the token's cluster; it stays where it is until it is let in there")
    .argument('<token>', 'what "hearth token" prints there; "-" reads it from standard input')
    .option('--data <FOLDER>', "the node's folder, as for hearth agent")
    .action(
      exits(async (token: string, { data }: { data?: string }) => {
        const flags = ['adopt', token, ...(data === undefined ? [] : ['--data', data])];
        return (await import('./commands/agent.ts')).agent(flags, dist);
      }),
    );

  adminOptions(clientOptions(hearth.command('nodes').description('the nodes and how they are')))
    .option('--json', 'everything that is known, as JSON')
    .option('--pending', 'the machines that wait to be let in instead')
    .option('--joined', 'which nodes have a certificate, and by whose word, instead')
    .action(exits(async (flags: NodesFlags) => (await import('./commands/nodes.ts')).nodes(flags)));

  clientOptions(hearth.command('watch').description('what happens, live, until Ctrl-C'))
    .argument('[node]', 'only this node')
    .option('-q, --quiet', 'without the periodic measurements')
    .action(exits(async (node, flags) => (await import('./commands/watch.ts')).watch(node, flags)));

  clientOptions(hearth.command('set').description("set or clear one key of a node's document, and print the answer"))
    .argument('<node>', 'id of the node')
    .argument('<key>', 'services.hello or services/hello; "." is the whole document')
    .argument('[value...]', 'text, @FILE, "-" for standard input, @@TEXT for a text that begins with @')
    .option('--clear', 'remove the key')
    .option('--wait', 'until the node has done it')
    .option('--timeout <SECONDS>', 'how long --wait waits (default: 60)')
    .action(exits(async (node, key, value, flags) => (await import('./commands/set.ts')).set(node, key, value, flags)));

  clientOptions(hearth.command('simulate').description('simulated nodes with real connections, until Ctrl-C'))
    .requiredOption('--nodes <N>', 'how many')
    .option('--period <MS>', 'milliseconds between load messages (default: 5000)')
    .option('--prefix <TEXT>', 'ids are this and a number (default: sim-)')
    .option('--per-second <N>', 'how many connect per second (default: 200)')
    .option('--cluster <FINGERPRINT>', 'needed where the broker is on another machine')
    .action(exits(async flags => (await import('./commands/simulate.ts')).simulate(flags)));

  const doctor = hearth.command('doctor').description('look at the whole set-up, and say the fix for what is wrong');
  const examined = ['data', 'config', 'mqttPort', 'httpPort', 'lan', 'tlsPort', 'base', 'broker'] as const;
  for (const key of examined) doctor.addOption(option(settings[key]));
  doctor
    .option('--json', 'every finding, as JSON')
    .action(exits(async (flags: object) => (await import('./commands/doctor.ts')).doctor(flags)));

  accountCommands(hearth);
  applyCommands(hearth);
  artifactCommand(hearth);
  backupCommands(hearth);
  caCommands(hearth);
  jobCommand(hearth);
  joiningCommands(hearth);
  maintainCommand(hearth);
  reportCommand(hearth);
  logsCommand(hearth);
  rolloutCommand(hearth);
  roomCommand(hearth);
  runCommand(hearth);
  secretCommands(hearth);
  brokerAclCommand(hearth);

  return hearth;
}

/** Prints what a person can do something about without a stack; anything else is a defect and shows where it is. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof UserError) {
    console.error(`hearth: ${error.message}`);
    return error.exitCode;
  }
  console.error(
    `hearth: an internal error, please report it: ${error instanceof Error ? error.stack : printable(String(error))}`,
  );
  return 70;
}

/** Code that still runs may not keep a finished command from ending; what it printed must have left first. */
function leave(code: number): void {
  process.exitCode = code;
  process.stdout.write('', () => process.exit(code));
}

process.stdout.on('error', () => process.exit(process.exitCode ?? 0));
try {
  await program().parseAsync();
  leave(Number(process.exitCode ?? 0));
} catch (error) {
  leave(report(error));
}
