import { type Command, Option } from 'commander';
import { settings } from '../shared/schemas/config.ts';
import type { BrokerAclFlags } from './commands/broker-acl.ts';
import { exits, option } from './options.ts';

const each = (value: string, before: string[] = []): string[] => [...before, value];

export function brokerAclCommand(hearth: Command): void {
  hearth
    .command('broker-acl')
    .description('who may do what, as rules of an outside broker')
    .argument('<broker>', 'mosquitto or nats')
    .addOption(option(settings.base))
    .addOption(new Option('--user <NAME=ROLE>', 'a login of a person or program; may come again').argParser(each))
    .addOption(new Option('--node <ID>', 'a node, for nats; may come again').argParser(each))
    .addOption(
      new Option(
        '--outside <PREFIX>',
        'first level of other topics; may come again (default: homeassistant)',
      ).argParser(each),
    )
    .option('--supervisor <NAME>', "the supervisor's login (default: supervisor)")
    .action(
      exits(async (broker: string, flags: BrokerAclFlags) =>
        (await import('./commands/broker-acl.ts')).brokerAcl(broker, flags),
      ),
    );
}
