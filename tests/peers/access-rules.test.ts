/** The rules that `hearth broker-acl` prints, on the brokers they are for: the same contract, on Mosquitto and on NATS. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import { mosquittoAcl } from '../../broker/access/mosquitto-acl.ts';
import { natsAcl } from '../../broker/access/nats-acl.ts';
import { outsideRules } from '../../cli/commands/broker-acl.ts';
import { contract, nodeAsks, type Who } from '../fixture/access-contract.ts';
import { startMosquitto } from '../fixture/mosquitto.ts';
import { connectClient, type TestClient } from '../fixture/mqtt-client.ts';
import { folder, freePort, start, until } from '../fixture/processes.ts';
import { findProgram, testWith } from '../fixture/programs.ts';

const test = suite('rules for outside brokers');

const rules = outsideRules({
  node: ['n1', 'n2'],
  user: ['anna=admin', 'otto=operator', 'n1x=viewer', 'ha=integration'],
  outside: ['homeassistant', 'hearthside'],
});
const logins: Record<Who, string> = {
  own: 'n1',
  other: 'n2',
  admin: 'anna',
  operator: 'otto',
  viewer: 'n1x',
  integration: 'ha',
};
const everybody = Object.keys(logins) as Who[];
const sorted = (names: readonly string[]) => [...names].sort();

interface Broker {
  readonly url: string;
  readonly stop: () => Promise<unknown>;
}

async function mosquitto(): Promise<Broker> {
  const path = folder();
  const passwords = join(path, 'passwords');
  writeFileSync(passwords, '', { mode: 0o600 });
  for (const name of ['supervisor', ...Object.values(logins)]) {
    execFileSync('mosquitto_passwd', ['-b', passwords, name, 'right'], { stdio: 'ignore' });
  }
  const acl = join(path, 'acl');
  writeFileSync(acl, mosquittoAcl(rules), { mode: 0o644 });
  // Started as root it becomes another user before it reads them again.
  for (const [file, mode] of [
    [path, 0o755],
    [passwords, 0o644],
  ] as const)
    chmodSync(file, mode);
  const settings = ['allow_anonymous false', `password_file ${passwords}`, `acl_file ${acl}`];
  const running = await startMosquitto(settings);
  return { url: running.url, stop: () => running.process.stop() };
}

async function nats(): Promise<Broker> {
  const path = folder();
  const port = await freePort();
  const file = join(path, 'nats.conf');
  const settings = [
    `host: 127.0.0.1, port: ${await freePort()}, server_name: test`,
    `jetstream { store_dir: ${JSON.stringify(join(path, 'store'))} }`,
    `mqtt { host: 127.0.0.1, port: ${port} }`,
  ];
  writeFileSync(file, `${settings.join('\n')}\n${natsAcl(rules)}`);
  const names = ['supervisor', ...Object.values(logins)];
  const env = Object.fromEntries(names.map(name => [`HEARTH_PASSWORD_${name.toUpperCase()}`, 'right']));
  execFileSync(findProgram('nats-server') ?? '', ['-t', '-c', file], {
    env: { ...process.env, ...env },
    stdio: 'ignore',
  });
  const server = start(findProgram('nats-server') ?? '', ['-c', file], { env: { ...process.env, ...env } });
  await server.line(/Server is ready/);
  return { url: `mqtt://127.0.0.1:${port}`, stop: () => server.stop() };
}

/** The outside topics of the contract end in what a broker is told by name. */
const topics = contract.map(([topic]) => topic);

for (const [name, needs, open] of [
  ['Mosquitto', ['mosquitto', 'mosquitto_passwd'], mosquitto],
  ['NATS', ['nats-server'], nats],
] as const) {
  testWith(test, needs, `${name}: each role writes and reads what the contract says`, async () => {
    const broker = await open();
    const login = (who: Who): Promise<TestClient> =>
      connectClient(broker.url, [], { username: logins[who], password: 'right', clientId: `hearth-${logins[who]}` });
    const supervisor = await connectClient(broker.url, [], { username: 'supervisor', password: 'right' });
    await supervisor.client.subscribeAsync(['#'], { qos: 0 });
    const clients = Object.fromEntries(
      await Promise.all(everybody.map(async who => [who, await login(who)] as const)),
    ) as Record<Who, TestClient>;

    await assert.rejects(connectClient(broker.url, [], {}), 'nobody without a login');

    for (const who of everybody) {
      for (const topic of topics) clients[who].client.publish(topic, who, { qos: 0 });
      // Messages of one client keep their order: behind this one nothing is on its way any more.
      const last = who === 'own' || who === 'other' ? `hearth/node/${logins[who]}/lwt` : undefined;
      if (last) clients[who].client.publish(last, `last ${who}`, { qos: 0 });
    }
    await until('what nodes wrote is there', () => {
      return ['own', 'other'].every(who => supervisor.heard.some(({ text }) => text === `last ${who}`));
    });
    for (const who of everybody.filter(who => contract.some(([, writers]) => writers.includes(who)))) {
      const lastTopic = contract.findLast(([, writers]) => writers.includes(who))?.[0];
      await supervisor.wait(`the last of ${who}`, ({ topic, text }) => topic === lastTopic && text === who);
    }
    for (const [topic, writers] of contract) {
      const wrote = everybody.filter(who =>
        supervisor.heard.some(heard => heard.topic === topic && heard.text === who),
      );
      assert.deepEqual(sorted(wrote), sorted(writers), `${name}: who writes ${topic}`);
    }

    for (const who of everybody) {
      const { client } = clients[who];
      if (name === 'NATS') {
        // It refuses a subscription that asks for more than is allowed.
        await assert.rejects(client.subscribeAsync('hearth/#', { qos: 1 }), who);
        for (const topic of topics) await client.subscribeAsync(topic, { qos: 0 }).catch(() => {});
      } else await client.subscribeAsync(['hearth/#', 'homeassistant/#', 'hearthside/#'], { qos: 1 });
      clients[who].forget();
    }
    for (const topic of topics) await supervisor.publish(topic, 'read me');
    // Messages of one client keep their order: who has this one has all that was for it.
    for (const topic of ['hearth/hello', 'hearth/status']) await supervisor.publish(topic, 'end');
    for (const who of everybody) await clients[who].wait(`the end, to ${who}`, ({ text }) => text === 'end');
    for (const [topic, , readers] of contract) {
      const read = everybody.filter(who =>
        clients[who].heard.some(heard => heard.topic === topic && heard.text === 'read me'),
      );
      // Of the verbs only those are named to it that are for everybody who asks at all.
      const named = nodeAsks.some(part => topic === `hearth/node/n1/${part}`);
      const all = name === 'NATS' && topic.includes('/do/') && !named ? (['admin'] as const) : readers;
      assert.deepEqual(sorted(read), sorted(all), `${name}: who reads ${topic}`);
    }
    for (const client of [supervisor, ...Object.values(clients)]) await client.close();
    await broker.stop();
  });
}

testWith(
  test,
  ['mosquitto', 'mosquitto_passwd'],
  'Mosquitto: retained copies, too, and a person with the name of a node is none',
  async () => {
    const broker = await mosquitto();
    const login = (username: string, clientId = username) =>
      connectClient(broker.url, [], { username, password: 'right', clientId });
    const supervisor = await login('supervisor');
    for (const topic of topics) await supervisor.publish(topic, 'kept', { retain: true });
    for (const who of everybody) {
      const client = await login(logins[who], `late-${who}`);
      await client.client.subscribeAsync(['#'], { qos: 1 });
      const mine = contract.filter(([, , readers]) => readers.includes(who)).map(([topic]) => topic);
      await until(`all retained copies for ${who}`, () => client.heard.length >= mine.length);
      assert.deepEqual(sorted(client.heard.map(({ topic }) => topic)), sorted(mine), who);
      await client.close();
    }
    await supervisor.client.subscribeAsync(['hearth/node/+/is'], { qos: 0 });
    const viewer = await login('n1x');
    viewer.client.publish('hearth/node/n1x/is', 'forged', { qos: 0 });
    await viewer.publish('hearth/node/n1x/is', 'forged');
    const node = await login('n1');
    await node.publish('hearth/node/n1/is', 'true');
    await supervisor.wait('the true one', ({ text }) => text === 'true');
    assert.ok(!supervisor.heard.some(({ text }) => text === 'forged'));
    for (const client of [supervisor, viewer, node]) await client.close();
    await broker.stop();
  },
);

test('what cannot be a rule is refused with the flag to change', () => {
  const wrong: [Parameters<typeof outsideRules>[0], RegExp][] = [
    [{ user: ['anna'] }, /NAME=ROLE/],
    [{ user: ['anna=node'] }, /role one of admin/],
    [{ user: ['a b\ntopic readwrite #=viewer'] }, /NAME=ROLE/],
    [{ user: ['x=viewer', 'x=admin'] }, /Two logins/],
    [{ node: ['N1'] }, /--node/],
    [{ node: ['n1'], user: ['n1=viewer'] }, /Two logins/],
    [{ outside: ['a/b'] }, /--outside/],
    [{ outside: ['hearth'] }, /--outside/],
    [{ outside: ['#'] }, /--outside/],
    [{ base: 'a/b' }, /--base/],
    [{ supervisor: 'x y' }, /--supervisor/],
  ];
  for (const [flags, sentence] of wrong) assert.throws(() => outsideRules(flags), sentence);
});

test.run();
