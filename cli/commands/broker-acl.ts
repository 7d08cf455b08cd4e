/** `hearth broker-acl`: who may do what, as rules of an outside broker. */
import { mosquittoAcl } from '../../broker/access/mosquitto-acl.ts';
import { natsAcl } from '../../broker/access/nats-acl.ts';
import type { OutsideRules } from '../../broker/access/outside-rules.ts';
import { isId, isItemName, printable } from '../../shared/names.ts';
import { settings } from '../../shared/schemas/config.ts';
import { type UserRole, userRole } from '../../shared/schemas/trust.ts';
import { UserError } from '../../shared/user-error.ts';

export interface BrokerAclFlags {
  readonly base?: string;
  readonly user?: readonly string[];
  readonly node?: readonly string[];
  readonly outside?: readonly string[];
  readonly supervisor?: string;
}

const formats: Readonly<Record<string, (rules: OutsideRules) => string>> = { mosquitto: mosquittoAcl, nats: natsAcl };

export function brokerAcl(broker: string, flags: BrokerAclFlags): number {
  const format = Object.hasOwn(formats, broker) ? formats[broker] : undefined;
  if (!format) throw new UserError(`There are rules for mosquitto and nats, not for "${printable(broker)}".`, 2);
  console.log(format(outsideRules(flags)).trimEnd());
  return 0;
}

/** @throws UserError that names the flag. */
export function outsideRules(flags: BrokerAclFlags): OutsideRules {
  const { base = settings.base.fallback, supervisor = 'supervisor' } = flags;
  const nodes = flags.node ?? [];
  const users = flags.user?.map(userOf) ?? userRole.options.map(role => ({ name: role, role }));
  const outside = flags.outside ?? ['homeassistant'];
  if (!/^[a-z0-9-]{1,9}$/.test(base)) throw new UserError('A base is 1 to 9 of a-z, 0-9 and "-": check --base.', 2);
  for (const prefix of outside) {
    if (/^[A-Za-z0-9_-]{1,64}$/.test(prefix) && prefix !== base) continue;
    throw new UserError(`--outside "${printable(prefix)}" has to be one level of a topic, and not "${base}".`, 2);
  }
  for (const node of nodes) {
    if (!isId(node)) throw new UserError(`--node "${printable(node)}" is no id of a node.`, 2);
  }
  const names = [supervisor, ...users.map(({ name }) => name), ...nodes];
  if (!isItemName(supervisor)) throw new UserError(`--supervisor "${printable(supervisor)}" is no user name.`, 2);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new UserError(`Two logins have the name "${twice}": give each a name of its own.`, 2);
  return { base, supervisor, nodes, users, outside };
}

function userOf(text: string): { name: string; role: UserRole } {
  const at = text.lastIndexOf('=');
  const name = text.slice(0, Math.max(at, 0));
  const role = userRole.safeParse(text.slice(at + 1));
  if (isItemName(name) && role.success) return { name, role: role.data };
  const most = userRole.options.join(', ');
  throw new UserError(`--user "${printable(text)}" has to be NAME=ROLE, and the role one of ${most}.`, 2);
}
