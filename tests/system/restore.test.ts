/**
 * The supervisor's machine is lost, and comes back from a backup: same trust, raised generation. Nodes come back by
 * themselves, also one that joined after the backup; they obey the new supervisor, and an old order is no order.
 */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { joiningAgent, type LanCluster, lanCluster } from '../fixture/lan-cluster.ts';
import { folder, until } from '../fixture/processes.ts';

const test = suite('restore');

interface Report {
  readonly rev: number;
  readonly err: string;
  readonly items: Readonly<Record<string, { readonly state: string; readonly pid?: number }>>;
}

/** What the node says last. */
function reported(cluster: LanCluster, node: string): Report | undefined {
  const last = cluster.watcher.heard.filter(({ topic }) => topic === `hearth/node/${node}/is`).at(-1);
  return last && (JSON.parse(last.text) as Report);
}
const runs = (cluster: LanCluster, node: string, service: string): boolean =>
  reported(cluster, node)?.items[`services/${service}`]?.state === 'running';
const online = (cluster: LanCluster, node: string) =>
  cluster.watcher.wait(
    `${node} is online`,
    ({ topic, text }) => topic === `hearth/node/${node}/status` && text === 'online',
  );
const wantOf = (cluster: LanCluster, node: string) =>
  cluster.watcher.heard.filter(({ topic }) => topic === `hearth/node/${node}/want`).at(-1)?.text ?? '';

test('from a backup on another data folder, at the same address', async () => {
  const lost = await lanCluster();
  const early = joiningAgent({ flags: ['--token', await lost.token(), '--node', 'early'] });
  await online(lost, 'early');
  await lost.watcher.publish('hearth/node/early/set/services/kept', 'sleep 1000');
  const pid = await until(
    'the first service runs',
    () => runs(lost, 'early', 'kept') && reported(lost, 'early')?.items['services/kept']?.pid,
  );
  const file = join(folder(), 'backup.gz');
  await lost.hearth('backup', file, '--data', lost.data);

  // What the backup does not know.
  await lost.watcher.publish('hearth/node/early/set/services/after', 'sleep 1001');
  await until('the second service runs', () => runs(lost, 'early', 'after'));
  const late = joiningAgent({ flags: ['--token', await lost.token(), '--node', 'late'] });
  await online(lost, 'late');
  for (let round = 0; round < 5; round++) {
    await lost.watcher.publish('hearth/node/late/set/services/busy', `sleep ${2000 + round}`);
  }
  await until('the last change is done', () => {
    const want = wantOf(lost, 'late');
    return want.includes('sleep 2004') && reported(lost, 'late')?.rev === Number(/"rev":(\d+)/.exec(want)?.[1]);
  });
  const { mqtt, http } = lost.ready;
  const tls = (lost.ready as { tls?: number }).tls ?? 0;
  await lost.watcher.close();
  await lost.process.stop('SIGKILL');

  const data = join(folder(), 'restored');
  assert.match(await lost.hearth('restore', file, '--data', data), /1 nodes, revision \d+, generation \d{10}/);
  const found = await lanCluster({ data, mqtt, http, tls });
  assert.is(found.fingerprint, lost.fingerprint);
  await online(found, 'early');
  await online(found, 'late');
  // What was there when the backup was taken goes on untouched; what came later is taken back.
  await until('early obeys the restored supervisor', () => {
    const now = reported(found, 'early');
    return now?.items['services/kept']?.pid === pid && now?.items['services/after'] === undefined;
  });
  await found.watcher.publish('hearth/node/late/set/services/new', 'sleep 3000');
  // What it no longer wants may still be stopping when the new one runs.
  await until(
    'late obeys it, too',
    () => runs(found, 'late', 'new') && reported(found, 'late')?.items['services/busy'] === undefined,
  );
  const renewed = await found.hearth('nodes', '--joined', '--data', data);
  assert.match(renewed, /^early +active/m);

  // Revoked is revoked, although no record of its certificate was in the backup.
  found.watcher.forget();
  await found.hearth('revoke', 'late', '--data', data);
  await found.watcher.wait(
    'late is out',
    ({ topic, text }) => topic === 'hearth/node/late/status' && text === 'offline',
  );
  for (const agent of [early, late]) await agent.stop();
  await found.stop();
});

test.run();
