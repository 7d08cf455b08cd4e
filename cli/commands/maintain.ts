/** `hearth maintain`: node after node is drained, upgraded, rebooted, looked at and resumed; the first that is not well ends it. */
import { isId, nearest, printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';
import { type ClientFlags, connect, disconnect } from '../connection.ts';
import { gather, type Known } from '../fleet.ts';
import { MqttFleet } from '../maintain/mqtt-fleet.ts';
import { type Maintenance, maintain as maintainOne } from '../maintain/one-node.ts';
import { supervisorAway } from './nodes.ts';

export interface MaintainFlags extends ClientFlags {
  readonly upgrade?: boolean;
  readonly reboot?: boolean;
  /** Minutes for an upgrade. */
  readonly upgradeTime?: string;
  /** Seconds until a node is back. */
  readonly rebootTime?: string;
  /** Seconds until it is well. */
  readonly wellTime?: string;
  readonly dryRun?: boolean;
}

/** @param whom ids, `@role` or `all`. @returns 0 when every node is well and at work. */
export async function maintain(whom: readonly string[], flags: MaintainFlags): Promise<number> {
  if (!flags.upgrade && !flags.reboot) throw new UserError('Say what is to be done: --upgrade, --reboot, or both.', 2);
  const todo: Maintenance = {
    upgrade: flags.upgrade === true,
    reboot: flags.reboot === true,
    upgradeMs: amount(flags.upgradeTime, 60, '--upgrade-time', 24 * 60) * 60_000,
    rebootMs: amount(flags.rebootTime, 600, '--reboot-time', 86_400) * 1000,
    wellMs: amount(flags.wellTime, 120, '--well-time', 86_400) * 1000,
  };
  const { client, base, broker } = await connect(flags, { reconnectPeriod: 2000 });
  try {
    const known = await gather(client, base);
    if (known.supervisor !== 'online') throw new UserError(supervisorAway(known, base, broker));
    const nodes = addressed(whom, known);
    if (flags.dryRun) {
      const what = [todo.upgrade ? 'upgrade' : '', todo.reboot ? 'reboot' : ''].filter(Boolean).join(', ');
      for (const node of nodes) console.log(`${node}: would drain, ${what}, look whether it is well, resume`);
      return 0;
    }
    const fleet = new MqttFleet(client, base, known, (node, text) => console.log(`${node}: ${printable(text, 300)}`));
    client.on('connect', () => void fleet.start().catch(() => {}));
    await fleet.start();
    for (const [index, node] of nodes.entries()) {
      const why = await maintainOne(node, fleet, todo);
      if (why === undefined) continue;
      const left = nodes.slice(index + 1);
      const rest = left.length === 0 ? '' : ` Not touched: ${left.join(', ')}.`;
      throw new UserError(
        `${node}: ${printable(why, 400)}. It stays as it is: look at it, then send do/resume.${rest}`,
      );
    }
    console.log(`${nodes.length} ${nodes.length === 1 ? 'node is' : 'nodes are'} done.`);
    return 0;
  } finally {
    await disconnect(client);
  }
}

/** Nodes in the order of their names, each once. */
function addressed(whom: readonly string[], known: Known): string[] {
  const found = new Set<string>();
  for (const one of whom) {
    const role = one.startsWith('@') ? one.slice(1) : undefined;
    if (one === 'all' || role === 'all') for (const id of known.nodes.keys()) found.add(id);
    else if (role !== undefined) {
      const members = [...known.nodes.values()].filter(({ info }) => info?.roles?.split(',').includes(role));
      if (members.length === 0) throw new UserError(`No node has the role "${printable(role)}".`);
      for (const { id } of members) found.add(id);
    } else if (isId(one) && known.nodes.has(one)) found.add(one);
    else {
      const near = nearest(one, known.nodes.keys());
      throw new UserError(
        `There is no node "${printable(one)}"${near === undefined ? '' : `: did you mean "${near}"?`}.`,
      );
    }
  }
  return [...found].sort();
}

function amount(text: string | undefined, otherwise: number, flag: string, most: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > most) {
    throw new UserError(`${flag}: "${printable(text)}" does not do: use 1 to ${most}.`, 2);
  }
  return value;
}
