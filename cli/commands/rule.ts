/** `hearth rule`: who is let in without a token, and what nodes are called. */
import { printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';
import { type AdminFlags, adminCall } from '../admin.ts';
import { table } from '../table.ts';
import { type PlaceFlags, placeArgs } from './machines.ts';

interface Conditions {
  readonly mac?: string;
  readonly subnet?: string;
  readonly arch?: string;
  readonly hostname?: string;
}

export interface RuleFlags extends AdminFlags, PlaceFlags, Conditions {
  readonly approve?: boolean;
  readonly node?: string;
}

const conditionsOf = ({ mac, subnet, arch, hostname }: Conditions): [string, string][] =>
  Object.entries({ mac, subnet, arch, hostname }).filter((pair): pair is [string, string] => pair[1] !== undefined);

export async function add(flags: RuleFlags): Promise<number> {
  const { approve, node } = flags;
  const answer = await adminCall<{ rule: number }>(flags, 'rule.add', {
    ...Object.fromEntries(conditionsOf(flags)),
    ...(approve ? { approve } : {}),
    ...(node === undefined ? {} : { node }),
    ...placeArgs(flags),
  });
  console.log(`This is rule ${answer.rule}.`);
  return 0;
}

interface Listed extends Conditions {
  readonly rule: number;
  readonly approve: boolean;
  readonly node?: string;
  readonly room?: string;
  readonly zone?: string;
  readonly roles?: readonly string[];
  readonly by: string;
}

export async function list(flags: AdminFlags & { readonly json?: boolean }): Promise<number> {
  const { rules } = await adminCall<{ rules: readonly Listed[] }>(flags, 'rule.list');
  if (flags.json) console.log(JSON.stringify(rules, undefined, 2));
  else if (rules.length === 0) console.error('hearth: there are no rules.');
  else {
    const rows = rules.map(rule => {
      const when = conditionsOf(rule).map(([name, value]) => `${name} ${value}`);
      const { node, room, zone, roles, by } = rule;
      const says = Object.entries({ node, room, zone, roles: roles?.join() }).filter(
        ([, value]) => value !== undefined,
      );
      const what = [...(rule.approve ? ['let in'] : []), ...says.map(([name, value]) => `${name} ${value}`)];
      return [String(rule.rule), when.join(', ') || 'every machine', what.join(', '), by].map(cell =>
        printable(cell, 120),
      );
    });
    console.log(table(['RULE', 'WHEN', 'THEN', 'MADE BY'], rows));
  }
  return 0;
}

export async function remove(number: string, flags: AdminFlags): Promise<number> {
  if (!/^[1-9]\d{0,8}$/.test(number))
    throw new UserError(`"${printable(number)}" is no rule: "hearth rule list" shows all.`, 2);
  await adminCall(flags, 'rule.remove', { rule: Number(number) });
  console.log(`Rule ${number} is gone; who joined by it stays.`);
  return 0;
}
