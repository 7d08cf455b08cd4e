/** `hearth nodes`: who is there, from the retained topics. */
import { printable } from '../../shared/names.ts';
import { UserError } from '../../shared/user-error.ts';
import type { AdminFlags } from '../admin.ts';
import { type ClientFlags, connect, disconnect } from '../connection.ts';
import { gather, type Known, type KnownNode } from '../fleet.ts';
import { ago, table } from '../table.ts';

export interface NodesFlags extends ClientFlags, AdminFlags {
  readonly json?: boolean;
  readonly pending?: boolean;
  readonly joined?: boolean;
}

export async function nodes(flags: NodesFlags): Promise<number> {
  if (flags.pending) return (await import('./machines.ts')).pending(flags);
  if (flags.joined) return (await import('./machines.ts')).joined(flags);
  if (flags.url !== undefined && flags.broker === undefined && !process.env.HEARTH_BROKER) {
    throw new UserError('The table comes over MQTT: name the broker with --broker mqtts://HOST:8883, not --url.', 2);
  }
  const { client, base, broker } = await connect(flags);
  const known = await gather(client, base);
  await disconnect(client);
  const list = [...known.nodes.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  if (flags.json) {
    console.log(JSON.stringify(list, undefined, 2));
    return 0;
  }
  if (list.length > 0) console.log(formatNodes(list, Date.now()));
  if (known.supervisor !== 'online') console.error(`hearth: ${supervisorAway(known, base, broker)}`);
  else if (list.length === 0) console.error('hearth: no node has joined yet.');
  return 0;
}

/** One sentence on why what is shown may be old. */
export function supervisorAway(known: Known, base: string, broker: string): string {
  return known.supervisor === 'offline'
    ? `the supervisor is offline: what is known at ${broker} is from before.`
    : `no supervisor has ever been at ${broker} under "${base}": start one with "hearth up", or say --broker and --base.`;
}

export function formatNodes(list: readonly KnownNode[], now: number): string {
  const rows = list.map(node => {
    const items = Object.entries(node.is?.items ?? {}).filter(([path]) => path.startsWith('services/'));
    const running = items.filter(([, item]) => item.state === 'running');
    const newest = Math.max(0, ...items.map(([, item]) => item.since_ms ?? 0));
    const { info } = node;
    return [
      node.id,
      node.online ? (node.is?.state ?? 'online') : 'offline',
      info?.cores === undefined ? '' : String(info.cores),
      info?.mem_mb === undefined ? '' : `${(info.mem_mb / 1024).toFixed(1)} GB`,
      `${running.length}/${items.length}`,
      newest === 0 ? '' : ago(now - newest),
      node.is?.ver ?? '',
      [info?.os, info?.arch].filter(Boolean).join(' '),
      node.is?.err ?? '',
    ].map(cell => printable(cell, 80));
  });
  return table(['NODE', 'STATE', 'CORES', 'MEMORY', 'SERVICES', 'CHANGED', 'VERSION', 'SYSTEM', 'ERROR'], rows);
}
