/**
 * What the checks of who may do what cost: the broker as it is, with the accounts' authenticator, the one table and the
 * limits of each client, against the same sources built without them. Both speak plain TCP, where a check is the
 * largest share of a message.
 */
import { join } from 'node:path';
import type { Plugin } from 'esbuild';
import type { BenchCase } from '../broker/case.ts';
import { compared, inTurns, type Outcome, type Turns } from '../broker/compare.ts';
import { hearth } from '../broker/contenders.ts';
import { fanInCases } from '../broker/fan-in.ts';
import { fanOutCases } from '../broker/fan-out.ts';
import type { Table } from '../table.ts';
import type { Credentials } from './credentials.ts';

/** Of the broker's CPU per message. */
const atMost = 1.05;

/** Those that deliver as fast as they can, and one message at a time. */
export const throughput = [...fanInCases, ...fanOutCases].filter(({ name }) => name.startsWith('fan-'));

export const accessCases: readonly BenchCase[] = throughput.map(bench => ({
  ...bench,
  name: `access-${bench.name}`,
  figures: bench.figures.map(({ ratioAtMost, ...rest }) => (ratioAtMost ? { ...rest, ratioAtMost: atMost } : rest)),
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
  const outcomes = await inTurns(
    cases,
    [
      await hearth({ name: checked, profile, trust: { ...trust, tls: false } }),
      await hearth({ name: free, profile, plugins: [withoutTable] }),
    ],
    turns,
  );
  const title = 'Access checks: the broker as it is against the same without them, plain TCP';
  return { table: compared(title, cases, outcomes, [checked, 'with'], [free, 'without']), outcomes };
}
