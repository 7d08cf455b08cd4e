/**
 * `hearth up` ended, killed and started again: services are adopted, agents neither linger nor stay away. Runs alone:
 * how long a second start takes is promised.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Is } from '../../shared/schemas/observed.ts';
import { type Cluster, up } from '../fixture/cluster.ts';
import { connectClient, type TestClient } from '../fixture/mqtt-client.ts';
import { folder, until } from '../fixture/processes.ts';
import { within } from '../fixture/promised-time.ts';

const whole = suite('up, again and again');

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

interface Watched {
  readonly cluster: Cluster;
  readonly client: TestClient;
  readonly node: string;
}

async function watch(cluster: Cluster): Promise<Watched> {
  const client = await connectClient(cluster.url, ['hearth/#']);
  return { cluster, client, node: cluster.ready.node };
}

/** The pid of a running service, as the node says now or says next. */
async function pidOf({ client, node }: Watched, service: string): Promise<number> {
  const item = (text: string) => (JSON.parse(text) as Is).items[`services/${service}`];
  const message = await client.wait(
    `${service} runs`,
    one => one.topic === `hearth/node/${node}/is` && item(one.text)?.state === 'running',
  );
  return item(message.text)?.pid ?? 0;
}

whole('a second start finds everything as it was, is quick, and adopts what runs', async () => {
  const data = folder('hearth-data-');
  const first = await watch(await up({ data }));
  await first.client.publish(`hearth/node/${first.node}/set/services/kept`, 'exec sleep 1000');
  const pid = await pidOf(first, 'kept');
  await first.client.close();
  assert.is(await first.cluster.process.stop('SIGINT'), 0);
  assert.ok(isAlive(pid), 'services run on');

  // 2 s is the promise; a machine half as fast may take twice that.
  await within('a second start', 4000, async () => {
    const began = performance.now();
    const cluster = await up({ data });
    const ms = performance.now() - began;
    console.log(`second start of hearth up: ${(ms / 1000).toFixed(2)} s`);
    const second = await watch(cluster);
    assert.is(second.node, first.node);
    assert.is(await pidOf(second, 'kept'), pid, 'adopted, and no twin');
    await second.client.close();
    assert.is(await second.cluster.process.stop(), 0);
    assert.ok(isAlive(pid));
    return ms;
  });
  const last = await up({ data, flags: ['--stop-services'] });
  assert.is(await last.process.stop(), 0);
  assert.not(isAlive(pid), '--stop-services');
});

whole('the agent ends when its supervisor is killed, the service does not, and the next start adopts it', async () => {
  const data = folder('hearth-data-');
  const first = await watch(await up({ data }));
  await first.client.publish(`hearth/node/${first.node}/set/services/kept`, 'exec sleep 1000');
  const pid = await pidOf(first, 'kept');
  const agent = childOf(first.cluster.process.pid);
  first.cluster.process.child.kill('SIGKILL');
  await first.cluster.process.ended;
  await until('the agent is gone', () => !isAlive(agent));
  assert.ok(isAlive(pid));
  await first.client.close();

  const second = await watch(await up({ data, flags: ['--stop-services'] }));
  assert.is(await pidOf(second, 'kept'), pid);
  await second.client.close();
  assert.is(await second.cluster.process.stop(), 0);
  assert.not(isAlive(pid));
});

whole('an agent that is killed alone comes back with the same services', async () => {
  const watched = await watch(await up({ flags: ['--stop-services'] }));
  const { client, cluster, node } = watched;
  await client.publish(`hearth/node/${node}/set/services/kept`, 'exec sleep 1000');
  const pid = await pidOf(watched, 'kept');
  const agent = childOf(cluster.process.pid);
  const load = (after: number) =>
    client.wait(
      `a load of a session after ${after}`,
      one => one.topic === `hearth/node/${node}/load` && JSON.parse(one.text).epoch > after,
    );
  const { epoch } = JSON.parse((await load(0)).text);
  client.forget();
  process.kill(agent, 'SIGKILL');
  // By its session: a supervisor that stood still for a second waits with the word offline, and it is back before that.
  await load(epoch);
  await cluster.process.line(/hearth: the local agent ended \(SIGKILL\)/);
  assert.is.not(childOf(cluster.process.pid), agent);
  assert.is(await pidOf(watched, 'kept'), pid);
  assert.ok(isAlive(pid));
  await client.close();
  assert.is(await cluster.process.stop(), 0);
});

/** The agent: the child of the supervisor whose command line has the bundle. */
function childOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  const agent = children.find(child => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('agent.js'));
  assert.ok(agent, 'the supervisor has an agent');
  return agent;
}

whole('two Ctrl-C within a moment, as npm sends them, are one; a later one ends at once', async () => {
  const cluster = await up({ flags: ['--no-agent'] });
  cluster.process.child.kill('SIGINT');
  cluster.process.child.kill('SIGINT');
  assert.is(await cluster.process.ended, 0);
  assert.match(cluster.process.output(), /hearth: ending … \(Ctrl-C again: at once\)/);
});

whole('settings from hearth.yaml and the environment reach the running parts', async () => {
  const data = folder('hearth-data-');
  writeFileSync(join(data, 'hearth.yaml'), 'version: 1\nbase: attic\nnode: from-file\nperiod: 500\n');
  const cluster = await up({ data, env: { HEARTH_NODE: 'from-env' } });
  assert.is(cluster.ready.node, 'from-env');
  const client = await connectClient(cluster.url, ['attic/#']);
  const loads = () => client.heard.filter(one => one.topic === 'attic/node/from-env/load').map(({ at }) => at);
  await until('loads', () => loads().length >= 4);
  // By default it is 5 s: no two of them would be this near to each other.
  const gaps = loads().map((at, index, all) => at - (all[index - 1] ?? 0));
  assert.ok(Math.min(...gaps.slice(1)) < 2500, `${gaps.slice(1)} ms: the period of the file is 500`);
  await client.close();
  assert.is(await cluster.process.stop(), 0);
});

whole('listens on loopback only', async () => {
  const cluster = await up({ flags: ['--no-agent'] });
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
  const listening = ['/proc/net/tcp', '/proc/net/tcp6']
    .flatMap(file => (existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []))
    .map(line => line.trim().split(/\s+/))
    .filter(([, local = '', , state]) => {
      const port = local.split(':')[1];
      return state === '0A' && (port === hex(cluster.ready.mqtt) || port === hex(cluster.ready.http));
    })
    .map(([, local = '']) => local.split(':')[0]);
  assert.equal(listening, ['0100007F', '0100007F']);
  assert.is(await cluster.process.stop(), 0);
});

whole.run();
