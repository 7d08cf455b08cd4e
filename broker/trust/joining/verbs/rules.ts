/** `rule.add`, `rule.list`, `rule.remove`. */
import { z } from 'zod';
import { isId } from '../../../../shared/names.ts';
import { UserError } from '../../../../shared/user-error.ts';
import { type AdminVerb, adminVerb } from '../../types.ts';
import type { Joining } from '../joining.ts';
import type { Ledger } from '../ledger.ts';
import { templateProblem } from '../node-id.ts';
import { joiningLimits, type RuleRecord } from '../records.ts';
import { plainArch, plainMacPrefix, readSubnet } from '../rules.ts';

const id = z.string().refine(isId, 'an id is 1 to 20 of a-z, 0-9 and "-", and not "all"');
/** Where a node stands and what it is for. */
export const placeArgs = { room: id.optional(), zone: id.optional(), roles: z.array(id).max(12).optional() };

export interface RuleVerbParts {
  readonly ledger: Ledger;
  readonly joining: Joining;
  readonly now: () => number;
}

/** What a rule's condition says, as it is compared. */
function conditions(args: {
  mac?: string | undefined;
  arch?: string | undefined;
  subnet?: string | undefined;
  hostname?: string | undefined;
}) {
  const mac = args.mac === undefined ? undefined : plainMacPrefix(args.mac);
  if (args.mac !== undefined && mac === undefined) {
    throw new UserError('--mac takes the start of a hardware address in whole bytes, such as dc:a6:32.', 2);
  }
  if (args.subnet !== undefined && !readSubnet(args.subnet)) {
    throw new UserError('--subnet takes ADDRESS/BITS, such as 192.168.1.0/24.', 2);
  }
  return {
    ...(mac === undefined ? {} : { mac }),
    ...(args.arch === undefined ? {} : { arch: plainArch(args.arch) }),
    ...(args.subnet === undefined ? {} : { subnet: args.subnet }),
    ...(args.hostname === undefined ? {} : { hostname: args.hostname.toLowerCase() }),
  };
}

export function ruleVerbs({ ledger, joining, now }: RuleVerbParts): AdminVerb[] {
  const add = adminVerb({
    name: 'rule.add',
    role: 'admin',
    args: z.strictObject({
      mac: z.string().max(17).optional(),
      arch: z.string().min(1).max(32).optional(),
      subnet: z.string().max(64).optional(),
      hostname: z.string().min(1).max(64).optional(),
      approve: z.boolean().default(false),
      node: z.string().max(64).optional(),
      ...placeArgs,
    }),
    audit: ({ mac, arch, subnet, hostname, approve }) =>
      [approve ? 'approve' : 'name', mac, arch, subnet, hostname].filter(part => part !== undefined).join(' '),
    async run({ approve, node, room, zone, roles, ...args }, by) {
      const when = conditions(args);
      if (approve && Object.keys(when).length === 0) {
        throw new UserError(
          'A rule that lets machines in needs a condition: --mac, --subnet, --arch or --hostname.',
          2,
        );
      }
      if (!approve && [node, room, zone, roles].every(said => said === undefined)) {
        throw new UserError('This rule says nothing: give --approve, --node, --room, --zone or --roles.', 2);
      }
      const problem = node === undefined ? undefined : templateProblem(node);
      if (problem !== undefined) throw new UserError(`--node: ${problem}.`, 2);
      if (ledger.rules.size >= joiningLimits.rules) {
        throw new UserError(
          `There are ${joiningLimits.rules} rules: remove some (hearth rule list, hearth rule remove).`,
        );
      }
      // A node goes on saying which rule let it in: no other is to have that number.
      const named = [...ledger.nodes.values()].map(({ by }) => Number(/^rule (\d+)$/.exec(by)?.[1] ?? 0));
      const rule = 1 + Math.max(0, ...named, ...[...ledger.rules.values()].map(other => other.rule));
      const record: RuleRecord = {
        ...{ rule, ...when, approve, by: by.name.slice(0, 64), created_ms: Math.floor(now()) },
        ...(node === undefined ? {} : { node }),
        ...(room === undefined ? {} : { room }),
        ...(zone === undefined ? {} : { zone }),
        ...(roles === undefined ? {} : { roles }),
      };
      await ledger.write({ kind: 'rule', id: String(rule), record });
      if (approve) await joining.reconsider();
      return { rule };
    },
  });
  const list = adminVerb({
    name: 'rule.list',
    role: 'admin',
    args: z.strictObject({}),
    run: () => ({ rules: [...ledger.rules.values()].sort((a, b) => a.rule - b.rule) }),
  });
  const remove = adminVerb({
    name: 'rule.remove',
    role: 'admin',
    args: z.strictObject({ rule: z.number().int().positive() }),
    audit: ({ rule }) => String(rule),
    async run({ rule }) {
      if (!ledger.rules.has(String(rule)))
        throw new UserError(`There is no rule ${rule}: "hearth rule list" shows all.`, 2);
      await ledger.write({ kind: 'rule', id: String(rule), record: undefined });
      return { rule };
    },
  });
  return [add, list, remove];
}
