/**
 * Certificates grow old: supervisor and node, as processes, with clocks of a week and of months later. Both renew by
 * themselves; a node that slept past its certificate's end comes back; a CA that was replaced is dropped a week later.
 */
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type JoiningAgent, joiningAgent, type LanCluster, lanCluster } from '../fixture/lan-cluster.ts';
import type { Heard } from '../fixture/mqtt-client.ts';
import { folder, until } from '../fixture/processes.ts';

const test = suite('certificates grow old');

/** A file that sets this machine's clock so many days ahead, for a process that loads it. */
function daysAhead(days: number): string {
  const file = join(folder(), `ahead-${days}.mjs`);
  const ahead = days * 86_400_000;
  writeFileSync(
    file,
    `const Real = Date;
const now = () => Real.now() + ${ahead};
globalThis.Date = class extends Real {
  constructor(...args) { if (args.length === 0) super(now()); else super(...args); }
  static now() { return now(); }
};
`,
  );
  return file;
}

const online = (cluster: LanCluster) =>
  cluster.watcher.wait('it is online', ({ topic, text }) => topic === 'hearth/node/old/status' && text === 'online');
const certificateOf = (agent: JoiningAgent) => new X509Certificate(agent.membership().cert);

test('a week, half a year, and a CA that is replaced', async () => {
  let cluster = await lanCluster();
  let agent = joiningAgent({ flags: ['--token', await cluster.token(), '--node', 'old'] });
  await online(cluster);
  const { data } = agent;
  const first = certificateOf(agent);
  const hours = (Date.parse(first.validTo) - Date.now()) / 3_600_000;
  assert.ok(hours > 166 && hours <= 168, `valid for ${hours} h`);
  const restart = async (days: number) => {
    await agent.stop();
    const preload = daysAhead(days);
    cluster = await cluster.again(preload);
    agent = joiningAgent({ data, preload });
    await online(cluster);
  };
  const server = async () => JSON.parse(await cluster.hearth('ca', 'show', '--json', '--data', cluster.data));

  // Past two thirds of its life: renewed well before the end.
  await restart(5);
  await until('it has renewed', () => certificateOf(agent).serialNumber !== first.serialNumber);
  const second = certificateOf(agent);
  assert.ok(Date.parse(second.validTo) - Date.parse(first.validTo) > 4 * 86_400_000);
  const before = await server();

  // Half a year without power: both certificates have ended long ago.
  await restart(180);
  await until('it has renewed', () => certificateOf(agent).serialNumber !== second.serialNumber);
  const after = await server();
  assert.ok(
    after.server.not_after_ms > before.server.not_after_ms + 100 * 86_400_000,
    'the supervisor renewed its own',
  );

  // Read before: the node may hear of it, and renew, before the command has ended.
  const old = certificateOf(agent);
  await cluster.hearth('ca', 'rotate', '--data', cluster.data);
  await until('the node has one of the new CA', () => certificateOf(agent).issuer !== old.issuer);
  await restart(188);
  const epochIn = ({ topic, text }: Heard) => (topic === 'hearth/node/old/load' ? JSON.parse(text).epoch : 0);
  const load = (after: number) =>
    cluster.watcher.wait(`a load of a session after ${after}`, message => epochIn(message) > after);
  await load(0);
  const epoch = Math.max(...cluster.watcher.heard.map(epochIn));
  await cluster.hearth('ca', 'retire', '--data', cluster.data);
  assert.is((await server()).ca.length, 1);
  // Its connection is judged anew, and it is back by itself, perhaps before anybody called it offline.
  await load(epoch);
  const third = certificateOf(agent);
  assert.ok(third.verify(new X509Certificate((await server()).ca[0].pem).publicKey));
  await agent.stop();
  await cluster.stop();
});

test.run();
