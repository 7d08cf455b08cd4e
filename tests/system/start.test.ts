/** Starts, restarts and ends of `hearth up`: what must be found again, and what is in the way, in one sentence each. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cluster, type UpOptions, up } from '../fixture/cluster.ts';
import { connectClient, type TestClient } from '../fixture/mqtt-client.ts';
import { folder, until } from '../fixture/processes.ts';

const starts = suite('start');

/** The start must fail: an exit code other than 0, and one sentence that fits. */
async function refused(options: UpOptions, sentence: RegExp): Promise<void> {
  const message = await up(options).then(
    async cluster => {
      await cluster.process.stop();
      return 'it started';
    },
    (error: Error) => error.message,
  );
  const [first = '', ...rest] = message.trim().split('\n');
  assert.match(first, /^hearth up ended with [1-9]\d*:$/, message);
  assert.is(rest.length, 1, `one line:\n${message}`);
  assert.match(rest[0] ?? '', /^hearth: \S.*[.]$/);
  assert.match(rest[0] ?? '', sentence);
  assert.not.match(message, /\bat .*:\d+:\d+|Error:/);
}

const listen = (): Promise<{ server: Server; port: number }> =>
  new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({ server, port: typeof address === 'object' && address ? address.port : 0 });
    });
  });

starts('a taken port is named with its flag', async () => {
  const { server, port } = await listen();
  try {
    const free = 'Port [0-9]+ of 127.0.0.1 is taken by another program: choose another with';
    await refused({ mqttPort: port, flags: ['--no-agent'] }, new RegExp(`${free} --mqtt-port PORT .*--broker mqtt://`));
    await refused({ httpPort: port, flags: ['--no-agent'] }, new RegExp(`${free} --http-port PORT`));
  } finally {
    server.close();
  }
});

starts('a data folder that cannot be used says why and what to do', async () => {
  const place = folder();
  const file = join(place, 'file');
  writeFileSync(file, '');
  await refused({ data: file }, /cannot be used: it is a file .*--data FOLDER/);
  await refused({ data: join(file, 'below') }, /cannot be used: a part of the path is a file .*--data FOLDER/);
  if (process.platform === 'linux') await refused({ data: '/proc/hearth/data' }, /no folder can be made there/);
  const foreign = join(place, 'foreign');
  mkdirSync(foreign);
  writeFileSync(join(foreign, 'thesis.tex'), 'x');
  await refused({ data: foreign }, /not empty and no data folder of Hearth \("thesis.tex" lies there\)/);
});

starts('the data folder of a newer Hearth is refused, and stays as it is', async () => {
  const data = folder();
  writeFileSync(join(data, 'format'), '99\n');
  await refused({ data }, /has format 99, but this Hearth knows formats up to 1: start the newer Hearth/);
  assert.is(readFileSync(join(data, 'format'), 'utf8'), '99\n');
  assert.not(existsSync(join(data, 'journal')));
});

starts('an unknown key in hearth.yaml is named', async () => {
  const data = folder();
  writeFileSync(join(data, 'hearth.yaml'), 'version: 1\nmqtt-prot: 1884\n');
  await refused({ data }, /hearth\.yaml.*mqtt-prot/);
});

starts('a second supervisor on a data folder hears who runs there; the first one does not notice', async () => {
  const first = await up({ flags: ['--no-agent'] });
  await refused(
    { data: first.data, flags: ['--no-agent'] },
    new RegExp(`Another supervisor \\(pid ${first.process.pid}\\)`),
  );
  const client = await connectClient(first.url, ['hearth/status']);
  await client.wait('it is still online', ({ topic, text }) => topic === 'hearth/status' && text === 'online');
  await client.close();
  assert.is(await first.process.stop(), 0);
});

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
  const first = await up();
  const pid = await setKeeper(first);
  const began = performance.now();
  assert.is(await first.process.stop('SIGTERM'), 0);
  assert.ok(performance.now() - began < 5000);
  assert.ok(isAlive(pid), 'the service outlives its supervisor');
  const second = await up({ data: first.data });
  assert.is(second.ready.node, first.ready.node);
  const { node } = second.ready;
  const client = await connectClient(second.url, [`hearth/node/${node}/is`, `hearth/node/${node}/own`]);
  assert.is(await service(client, node, state => state === 'running'), pid);
  const own = await client.wait('the document', ({ topic }) => topic.endsWith('/own'));
  assert.is(JSON.parse(own.text).services.keeper.run ?? JSON.parse(own.text).services.keeper, 'sleep 4711');
  await client.publish(`hearth/node/${node}/set/services/keeper`, '');
  await until('the service has ended', () => !isAlive(pid));
  await client.close();
  assert.is(await second.process.stop(), 0);
});

starts('with --stop-services they end with it, one that needs its grace too', async () => {
  const cluster = await up({ flags: ['--stop-services'] });
  const { node } = cluster.ready;
  const client = await connectClient(cluster.url, [`hearth/node/${node}/is`]);
  const mark = join(folder(), 'tidied');
  // Longer to end than the supervisor's ordinary stop may take.
  const run = `trap 'sleep 4; echo tidied > ${mark}; exit 0' TERM; while :; do sleep 0.1; done`;
  await client.publish(`hearth/node/${node}/set/services/keeper`, run);
  const pid = await service(client, node, state => state === 'running');
  await client.close();
  assert.is(await cluster.process.stop(), 0);
  assert.not(isAlive(pid));
  assert.is(readFileSync(mark, 'utf8'), 'tidied\n');
});

starts('a local agent that crashes is started again, one that was told to end stays ended', async () => {
  const cluster = await up();
  const { node } = cluster.ready;
  const client = await connectClient(cluster.url, [`hearth/node/${node}/status`]);
  const isStatus = (text: string) => (message: { text: string; retain: boolean }) =>
    message.text === text && !message.retain;
  const agentPid = () => {
    const path = `/proc/${cluster.process.pid}/task/${cluster.process.pid}/children`;
    return Number(readFileSync(path, 'utf8').trim().split(' ')[0]);
  };
  if (process.platform === 'linux') {
    process.kill(agentPid(), 'SIGKILL');
    await client.wait('offline', isStatus('offline'));
    await client.wait('online again', isStatus('online'));
    process.kill(agentPid(), 'SIGTERM');
    const log = join(cluster.data, 'logs/supervisor.log');
    await until('the log says so', () => readFileSync(log, 'utf8').includes('was told to end, and stays so'));
  }
  await client.close();
  assert.is(await cluster.process.stop(), 0);
});

starts.run();
