/**
 * Restarts and ends of `hearth up`: what must be found again, what runs on, what is told. Runs alone: how long an end
 * takes is promised.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { childrenOf } from '../../node-agent/reconcile/services/processes.ts';
import { type Cluster, hearthCommand, up } from '../fixture/cluster.ts';
import { connectClient, type TestClient } from '../fixture/mqtt-client.ts';
import { folder, start, until } from '../fixture/processes.ts';
import { within } from '../fixture/promised-time.ts';

const starts = suite('start');

/** The service as the node's retained `is` has it. */
async function service(client: TestClient, node: string, fits: (state: string, pid: number) => boolean) {
  const parse = (text: string) => JSON.parse(text).items?.['services/keeper'] as { state: string; pid: number };
  const heard = await client.wait('the service is as wanted', ({ topic, text }) => {
    const item = topic === `hearth/node/${node}/is` && text !== '' ? parse(text) : undefined;
    return item !== undefined && fits(item.state, item.pid);
  });
  return parse(heard.text).pid;
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Nothing of one that has ended. */
const commandLine = (pid: number): string[] => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
};

async function setKeeper(cluster: Cluster): Promise<number> {
  const { node } = cluster.ready;
  const client = await connectClient(cluster.url, [`hearth/node/${node}/is`]);
  await client.publish(`hearth/node/${node}/set/services/keeper`, 'sleep 4711');
  const pid = await service(client, node, state => state === 'running');
  await client.close();
  return pid;
}

starts('the ready file says who and where, and is gone after the end', async () => {
  const { ready, process, data } = await up();
  assert.equal(Object.keys(ready).sort(), ['http', 'mqtt', 'node', 'pid']);
  assert.is(ready.pid, process.pid);
  const page = await fetch(`http://127.0.0.1:${ready.http}/`);
  assert.is(page.status, 200);
  const client = await connectClient(`mqtt://127.0.0.1:${ready.mqtt}`, [`hearth/node/${ready.node}/status`]);
  await client.wait('the local node is online already', ({ text, retain }) => retain && text === 'online');
  await client.close();
  assert.equal(JSON.parse(readFileSync(join(data, 'run.json'), 'utf8')), ready);
  assert.is(await process.stop(), 0);
  assert.not(existsSync(join(data, 'run.json')));
});

starts('TERM ends it within 5 s with exit code 0; the service runs on and is found again, under its pid', async () => {
  const data = folder('hearth-data-');
  const [nodes, pids] = [new Set<string>(), new Set<number>()];
  await within('an end', 5000, async () => {
    const first = await up({ data });
    nodes.add(first.ready.node);
    pids.add(await setKeeper(first));
    const began = performance.now();
    assert.is(await first.process.stop('SIGTERM'), 0);
    return performance.now() - began;
  });
  const [pid = 0] = pids;
  assert.is(pids.size, 1);
  assert.ok(isAlive(pid), 'the service outlives its supervisor');
  const second = await up({ data });
  const { node } = second.ready;
  assert.equal([...nodes], [node]);
  const client = await connectClient(second.url, [`hearth/node/${node}/is`, `hearth/node/${node}/own`]);
  assert.is(await service(client, node, state => state === 'running'), pid);
  const own = await client.wait('the document', ({ topic }) => topic.endsWith('/own'));
  assert.is(JSON.parse(own.text).services.keeper.run ?? JSON.parse(own.text).services.keeper, 'sleep 4711');
  await client.publish(`hearth/node/${node}/set/services/keeper`, '');
  await until('the service has ended', () => !isAlive(pid));
  await client.close();
  assert.is(await second.process.stop(), 0);
});

starts('an outside broker that is away is waited for, and TERM ends the wait', async () => {
  await within('an end', 5000, async () => {
    const flags = ['--data', folder(), '--no-agent', '--http-port', '0', '--broker', 'mqtt://127.0.0.1:9'];
    const waiting = start(process.execPath, [hearthCommand, 'up', ...flags]);
    await waiting.line(/hearth: .*127\.0\.0\.1:9|hearth: .*(ECONNREFUSED|refused)/);
    const began = performance.now();
    assert.type(await waiting.stop(), 'number');
    return performance.now() - began;
  });
});

starts('with --stop-services they end with it, one that needs its grace too', async () => {
  const cluster = await up({ flags: ['--stop-services'] });
  const { node } = cluster.ready;
  const client = await connectClient(cluster.url, [`hearth/node/${node}/is`]);
  const place = folder();
  const [ready, mark] = [join(place, 'ready'), join(place, 'tidied')];
  // Longer to end than the supervisor's ordinary stop may take.
  const run = `trap 'sleep 4; echo tidied > ${mark}; exit 0' TERM; echo > ${ready}; while :; do sleep 0.1; done`;
  await client.publish(`hearth/node/${node}/set/services/keeper`, run);
  const pid = await service(client, node, state => state === 'running');
  await client.close();
  await until('it waits for TERM', () => existsSync(ready));
  assert.is(await cluster.process.stop(), 0);
  assert.not(isAlive(pid));
  assert.is(readFileSync(mark, 'utf8'), 'tidied\n');
});

starts('a local agent that crashes is started again, one that was told to end stays ended', async () => {
  const cluster = await up();
  const { node } = cluster.ready;
  const client = await connectClient(cluster.url, [`hearth/node/${node}/load`]);
  // By its arguments: the supervisor has other children for moments, too, while it starts.
  const agentPid = () =>
    until('there is one', () =>
      childrenOf(cluster.process.pid).find(pid => commandLine(pid).some(word => word.endsWith('/agent.js'))),
    );
  if (process.platform === 'linux') {
    const { epoch } = JSON.parse((await client.wait('a load', () => true)).text);
    process.kill(await agentPid(), 'SIGKILL');
    // By its session: a supervisor that stood still for a second waits with the word offline, and it is back before that.
    await client.wait('a load of its next session', ({ text }) => JSON.parse(text).epoch > epoch);
    process.kill(await agentPid(), 'SIGTERM');
    const log = join(cluster.data, 'logs/supervisor.log');
    await until('the log says so', () => readFileSync(log, 'utf8').includes('was told to end, and stays so'));
  }
  await client.close();
  assert.is(await cluster.process.stop(), 0);
});

starts.run();
