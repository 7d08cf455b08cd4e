/** An agent that nobody told an address, on a host of its own: it finds its supervisor by mDNS, and waits to be let in. */
import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hearthCommand, up } from '../fixture/cluster.ts';
import { joiningAgent, lanCluster } from '../fixture/lan-cluster.ts';
import { freePort, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';
import { makeTestHost } from '../fixture/test-host.ts';

const zeroTouch = suite('agent zero touch');
const needs = ['root', 'ip'];

testWith(zeroTouch, needs, 'it finds the supervisor, shows its code, and runs once it is approved', async () => {
  // Both on one host, whose network ends in itself: nobody else's cluster is there to be found.
  const host = makeTestHost();
  host.cable(false);
  const ip = (...args: string[]) => execFileSync('ip', ['-n', host.name, ...args]);
  ip('link', 'add', 'alone0', 'type', 'veth', 'peer', 'name', 'alone1');
  ip('addr', 'add', '198.19.0.1/24', 'dev', 'alone0');
  for (const end of ['alone0', 'alone1']) ip('link', 'set', end, 'up');
  const flags = ['--lan', '--no-agent', '--tls-port', String(await freePort())];
  const cluster = await up({ under: host.under, flags });
  const hearth = async (...args: string[]) => {
    const [program = '', ...rest] = [...host.under, process.execPath, hearthCommand, ...args];
    const run = start(program, rest, { env: { PATH: process.env.PATH ?? '', HOME: cluster.data } });
    assert.is(await run.ended, 0, run.output());
    return run.output();
  };
  const agent = joiningAgent({ under: host.under, flags: ['--node', 'z1'] });
  const [, code = ''] = await agent.line(/hearth: waiting to be approved as (\S+):/);
  await hearth('approve', code, '--data', cluster.data);
  await until('z1 is ready', async () => /^z1 +(init|ready)/m.test(await hearth('nodes', '--broker', cluster.url)));
  assert.ok(agent.membership().brokers.some(url => url.startsWith('mqtts://198.19.0.1:')));
  await agent.stop();
  await cluster.process.stop();
  host.remove();
});

testWith(
  zeroTouch,
  needs,
  'over a cable, among several clusters, it asks the one whose fingerprint it was told',
  async () => {
    const host = makeTestHost();
    const [one, two] = [await lanCluster(), await lanCluster()];
    const agent = joiningAgent({ under: host.under, flags: ['--node', 'z2', '--cluster', two.fingerprint] });
    const [, code = ''] = await agent.line(/hearth: waiting to be approved as (\S+):/);
    assert.not.match(await one.hearth('nodes', '--pending', '--data', one.data), /z2/);
    await two.hearth('approve', code, '--data', two.data);
    await two.watcher.wait('z2 is online', ({ topic, text }) => topic === 'hearth/node/z2/status' && text === 'online');
    assert.ok(agent.membership().brokers.some(url => url.includes(host.near)));
    await agent.stop();
    await one.stop();
    await two.stop();
    host.remove();
  },
);

zeroTouch.run();
