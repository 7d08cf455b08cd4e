/** The whole path with real processes: `hearth up` and the programs that people have, mosquitto_sub and mosquitto_pub. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ResultMessage } from '../../shared/schemas/fabric.ts';
import type { Is } from '../../shared/schemas/observed.ts';
import { type Cluster, hearthCommand, up } from '../fixture/cluster.ts';
import { startMosquitto } from '../fixture/mosquitto.ts';
import { connectClient, type TestClient } from '../fixture/mqtt-client.ts';
import { folder, freePort, type Started, start, until } from '../fixture/processes.ts';
import { testWith } from '../fixture/programs.ts';

const whole = suite('up');
const mosquitto = ['mosquitto_sub', 'mosquitto_pub'];

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

const publish = async (port: number, ...args: string[]): Promise<void> => {
  assert.is(await start('mosquitto_pub', ['-p', String(port), '-q', '1', ...args]).ended, 0);
};

/** Lines of mosquitto_sub as topic and payload. */
function subscribed(sub: Started): readonly (readonly [topic: string, payload: string])[] {
  const lines = sub.output().split('\n').slice(0, -1);
  return lines.map(line => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)] as const);
}

const lastIs = (sub: Started, node: string): Is | undefined => {
  const found = subscribed(sub).findLast(([topic]) => topic === `hearth/node/${node}/is`);
  return found && (JSON.parse(found[1]) as Is);
};

const results = (sub: Started): readonly ResultMessage[] =>
  subscribed(sub)
    .filter(([topic]) => topic.endsWith('/result'))
    .map(([, payload]) => JSON.parse(payload) as ResultMessage);

testWith(whole, mosquitto, 'a service is started, nonsense is answered, and the same topic stops it', async () => {
  const cluster = await up();
  const { mqtt, node } = cluster.ready;
  const sub = start('mosquitto_sub', ['-p', String(mqtt), '-v', '-q', '1', '-t', 'hearth/#']);
  await sub.line(new RegExp(`^hearth/node/${node}/status online$`, 'm'));
  await sub.line(/^hearth\/status online$/m);

  const topic = `hearth/node/${node}/set/services/hello`;
  const mark = join(folder(), 'mark');
  await publish(mqtt, '-t', topic, '-m', `echo started > ${mark}; sleep 1000`);
  const item = await until('the service runs', () => {
    const status = lastIs(sub, node)?.items['services/hello'];
    return status?.state === 'running' ? status : undefined;
  });
  await until('it did something', () => existsSync(mark));
  const pid = item.pid ?? 0;
  assert.ok(isAlive(pid));
  const accepted = results(sub).find(result => result.key === 'services.hello');
  assert.ok(accepted?.ok, JSON.stringify(accepted));
  assert.is(accepted.part, 'set');

  const nonsense: readonly (readonly [topic: string, payload: string, error: RegExp])[] = [
    [topic, '{"run":', /not valid JSON/],
    [`hearth/node/${node}/set/services/hello/rnu`, 'x', /unknown key "rnu": did you mean "run"/],
    [`hearth/node/${node}x/set/services/hello`, 'x', /unknown node/],
    [`hearth/node/${node}/do/restrat`, '', /did you mean "restart"|restart/],
    ['hearth/nodes/x/set', 'x', /no kind of thing/],
  ];
  for (const [where, payload, error] of nonsense) {
    const before = results(sub).length;
    await publish(mqtt, '-t', where, '-m', payload);
    const answer = await until(`an answer to ${where}`, () => results(sub).at(before));
    assert.not(answer.ok, JSON.stringify(answer));
    assert.match(answer.error ?? '', error);
  }
  assert.is(lastIs(sub, node)?.items['services/hello']?.pid, pid, 'nonsense disturbs nothing');

  await publish(mqtt, '-t', topic, '-n');
  await until('the service is gone', () => lastIs(sub, node)?.items['services/hello'] === undefined);
  await until('its process is gone', () => !isAlive(pid));

  const began = performance.now();
  assert.is(await cluster.process.stop('SIGTERM'), 0);
  assert.ok(performance.now() - began < 5000, 'over within 5 s');
  assert.is(subscribed(sub).findLast(([name]) => name === 'hearth/status')?.[1], 'offline', 'a farewell');
  assert.is(subscribed(sub).findLast(([name]) => name === `hearth/node/${node}/status`)?.[1], 'offline');
  assert.not(existsSync(join(cluster.data, 'run.json')));
  await sub.stop();
});

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

  const began = performance.now();
  const second = await watch(await up({ data, flags: ['--stop-services'] }));
  const ms = performance.now() - began;
  console.log(`second start of hearth up: ${(ms / 1000).toFixed(2)} s`);
  // 2 s is the promise; twice that only where other tests keep the machine busy.
  assert.ok(ms < 4000, `${ms} ms`);
  assert.is(second.node, first.node);
  assert.is(await pidOf(second, 'kept'), pid, 'adopted, and no twin');
  await second.client.close();
  assert.is(await second.cluster.process.stop(), 0);
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
  client.forget();
  process.kill(agent, 'SIGKILL');
  await client.wait('offline', one => one.topic === `hearth/node/${node}/status` && one.text === 'offline', 2000);
  await client.wait('online again', one => one.topic === `hearth/node/${node}/status` && one.text === 'online');
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

whole('the ready file holds pid, ports and node, and goes with the supervisor', async () => {
  const [data, readyFile] = [folder('hearth-data-'), join(folder(), 'ready.json')];
  const flags = ['--data', data, '--mqtt-port', '0', '--http-port', '0', '--node', 'cellar', '--ready-file', readyFile];
  const process_ = start(process.execPath, [hearthCommand, 'up', ...flags]);
  await until('it is there', () => existsSync(readyFile));
  const ready = JSON.parse(readFileSync(readyFile, 'utf8')) as Cluster['ready'];
  assert.is(ready.pid, process_.pid);
  assert.is(ready.node, 'cellar');
  const client = await connectClient(`mqtt://127.0.0.1:${ready.mqtt}`, ['hearth/node/cellar/status']);
  await client.wait('online already', one => one.text === 'online' && one.retain);
  await client.close();
  assert.is(await process_.stop(), 0);
  assert.not(existsSync(readyFile));
  assert.is(statSync(join(data, 'trust/cluster-key.pem')).mode & 0o777, 0o600);
});

whole('settings from hearth.yaml and the environment reach the running parts', async () => {
  const data = folder('hearth-data-');
  writeFileSync(join(data, 'hearth.yaml'), 'version: 1\nbase: attic\nnode: from-file\nperiod: 500\n');
  const cluster = await up({ data, env: { HEARTH_NODE: 'from-env' } });
  assert.is(cluster.ready.node, 'from-env');
  const client = await connectClient(cluster.url, ['attic/#']);
  const loads = () => client.heard.filter(one => one.topic === 'attic/node/from-env/load').length;
  await until('loads at the period of the file', () => loads() >= 3, 4000);
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

testWith(whole, ['mosquitto', ...mosquitto], 'runs unchanged on an outside Mosquitto', async () => {
  const outside = await startMosquitto([], await freePort());
  const cluster = await up({ flags: ['--broker', outside.url, '--node', 'n1', '--stop-services'] });
  assert.is(cluster.ready.mqtt, outside.port);
  const watched = await watch({ ...cluster, url: outside.url });
  await publish(outside.port, '-t', 'hearth/node/n1/set/services/hello', '-m', 'exec sleep 1000');
  const pid = await pidOf(watched, 'hello');
  assert.ok(isAlive(pid));
  await watched.client.close();
  assert.is(await cluster.process.stop(), 0);
  assert.not(isAlive(pid));
  await outside.process.stop();
});

whole.run();
