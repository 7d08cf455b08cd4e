/**
 * What the checks of who may do what cost: the broker as it is, with the accounts' authenticator, the one table and the
 * limits of each client, against the same sources built without them. Both speak plain TCP, where a check is the
 * largest share of a message.
 */
import { join } from 'node:path';
import type { Plugin } from 'esbuild';
import { until } from '../../fixture/processes.ts';
import { alternating } from '../broker/alternate.ts';
import type { BenchCase } from '../broker/case.ts';
import { compared, type Outcome, quartiles, ratiosOf, type Turns } from '../broker/compare.ts';
import { type Contender, hearth } from '../broker/contenders.ts';
import { fanInCases } from '../broker/fan-in.ts';
import { fanOutCases } from '../broker/fan-out.ts';
import { publishPacket } from '../broker/packets.ts';
import { WireClient } from '../broker/wire-client.ts';
import { median, verdict } from '../statistics.ts';
import type { Table } from '../table.ts';
import type { Credentials } from './credentials.ts';

/** Of the broker's CPU per message. */
const atMost = 1.05;

/** Those that deliver as fast as they can, and one message at a time. */
export const throughput = [...fanInCases, ...fanOutCases].filter(({ name }) => name.startsWith('fan-'));

export const accessCases: readonly BenchCase[] = throughput.map(bench => ({
  ...bench,
  name: `access-${bench.name}`,
  figures: bench.figures
    .filter(({ key }) => key === 'cpuUs' || key === 'lost')
    .map(({ ratioAtMost, ...rest }) => (ratioAtMost ? { ...rest, ratioAtMost: atMost } : rest)),
}));

const withoutTable: Plugin = {
  name: 'without the table',
  setup(build) {
    const path = join(import.meta.dirname, 'no-checks.ts');
    build.onResolve({ filter: /\/access\/table\.ts$|^\.\/table\.ts$/ }, ({ importer }) =>
      importer.includes('/broker/') ? { path } : undefined,
    );
  },
};

export async function accessTable(
  cases: readonly BenchCase[],
  { trust }: Credentials,
  turns: Turns,
  profile: string | undefined,
): Promise<{ table: Table; outcomes: Outcome[] }> {
  const [checked, free] = ['checked', 'unchecked'];
  const contenders: [Contender, Contender] = [
    await hearth({ name: checked, profile, trust: { ...trust, tls: false } }),
    await hearth({ name: free, profile, plugins: [withoutTable] }),
  ];
  for (const contender of contenders) {
    if ((await letsForge(contender)) === (contender.name === checked)) {
      throw new Error(`the build "${contender.name}" is not what its name says`);
    }
  }
  const outcomes = await alternating(cases, contenders, turns);
  const title = 'Access checks: the broker as it is against the same without them, plain TCP';
  const table = compared(title, cases, outcomes, [checked, 'with'], [free, 'without'], true);
  // One case's median is as good as its pairs are many; all of them together say more.
  const ratios = cases.flatMap(({ name }) => ratiosOf(outcomes, name, 'cpuUs', checked, free));
  const ratio = median(ratios);
  const shown = `${ratio.toFixed(2)} × (${quartiles(ratios)})`;
  const all = ['all of these', 'CPU', '', '', shown, `≤ ${atMost} ×`, verdict(ratio, atMost)];
  return { table: { ...table, rows: [...table.rows, all] }, outcomes };
}

/** Whether a node may say another node's `is`. */
async function letsForge(contender: Contender): Promise<boolean> {
  const broker = await contender.start(`${contender.name}-forgery`);
  try {
    const [listener, forger] = [new WireClient(broker), new WireClient(broker)];
    await Promise.all([listener.connect('bench-listener'), forger.connect('hearth-n0')]);
    await listener.subscribe('hearth/node/+/is', 0);
    const heard: string[] = [];
    listener.events.payload = payload => heard.push(payload.toString());
    forger.write(publishPacket('hearth/node/n1/is', Buffer.from('forged'), 0));
    // Its own comes after.
    forger.write(publishPacket('hearth/node/n0/is', Buffer.from('own'), 0));
    await until('what a node may say is heard', () => heard.includes('own'));
    for (const client of [listener, forger]) client.end();
    return heard.includes('forged');
  } finally {
    await broker.stop();
  }
}
