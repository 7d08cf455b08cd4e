/**
 * Every role against every kind of topic, on a broker as it is: publish, will, subscription by name, wildcard live and
 * retained, and the response topic.
 */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createEmbeddedBroker, type EmbeddedBroker } from '../../broker/mqtt/embedded.ts';
import type { BusMessage } from '../../shared/bus.ts';
import { silentLog } from '../../shared/log.ts';
import { matches } from '../../shared/topics.ts';
import { ownBroker as contract, type Who } from '../fixture/access-contract.ts';
import { handAuthenticator } from '../fixture/hand-authenticator.ts';
import { MemoryClient, turns } from '../fixture/memory-client.ts';

const test = suite('access: roles and topics');

const logins: Record<Who, { clientId: string; username: string }> = {
  own: { clientId: 'hearth-n1', username: 'node:n1' },
  other: { clientId: 'hearth-n2', username: 'node:n2' },
  admin: { clientId: 'a', username: 'admin' },
  operator: { clientId: 'o', username: 'operator' },
  viewer: { clientId: 'v', username: 'viewer' },
  integration: { clientId: 'i', username: 'integration' },
};
interface Scene {
  readonly broker: EmbeddedBroker;
  readonly clients: Record<Who, MemoryClient>;
  readonly heard: BusMessage[];
  readonly refused: string[];
}

async function scene(run: (scene: Scene) => Promise<void>): Promise<void> {
  const broker = await createEmbeddedBroker({ base: 'hearth', log: silentLog, authenticator: handAuthenticator() });
  const heard: BusMessage[] = [];
  const refused: string[] = [];
  broker.bus.start(['#'], {
    up() {},
    down() {},
    message: message => void heard.push(message),
    refused: ({ topic }) => void refused.push(topic),
  });
  try {
    const entries = await Promise.all(Object.keys(logins).map(async who => [who, await join(broker, who)] as const));
    await run({ broker, clients: Object.fromEntries(entries) as Scene['clients'], heard, refused });
  } finally {
    await broker.close();
  }
}

async function join(broker: EmbeddedBroker, who: string, rest: object = {}): Promise<MemoryClient> {
  const { clientId, username } = logins[who as Who];
  const login = { clientId, username, password: Buffer.from('right') };
  const client = await MemoryClient.connect(broker, { version: 5, ...login, ...rest });
  const code = client.packets.find(({ cmd }) => cmd === 'connack')?.reasonCode;
  assert.equal(code, 0, `${who} is let in`);
  return client;
}

const everybody = Object.keys(logins) as Who[];
const sorted = (names: readonly string[]) => [...new Set(names)].sort();

test('publish: what is written by whom, and the refusal that the others read', () =>
  scene(async ({ clients, heard, refused }) => {
    for (const [topic, writers] of contract) {
      const letIn: string[] = [];
      for (const who of everybody) {
        heard.length = refused.length = 0;
        const client = clients[who];
        client.packets.length = 0;
        client.say(
          client.bytes({ cmd: 'publish', topic, payload: who, qos: 1, messageId: 7, retain: false, dup: false }),
        );
        await turns();
        const code = client.packets.find(({ cmd }) => cmd === 'puback')?.reasonCode ?? 0;
        const came = heard.some(message => message.topic === topic);
        assert.equal(came, code === 0, `${who} on ${topic}: PUBACK says what happened`);
        assert.equal(refused.includes(topic), !came, `${who} on ${topic}: a refusal is told`);
        if (came) letIn.push(who);
      }
      assert.deepEqual(sorted(letIn), sorted(writers), topic);
    }
  }));

test('will: the same as publish', () =>
  scene(async ({ broker, clients, heard, refused }) => {
    for (const client of Object.values(clients)) client.destroy();
    await turns();
    for (const [topic, writers] of contract) {
      const letIn: string[] = [];
      for (const who of everybody) {
        heard.length = refused.length = 0;
        const will = { topic, payload: Buffer.from(who), qos: 1 as const, retain: false };
        const client = await join(broker, who, { will });
        client.destroy();
        await turns();
        assert.equal(heard.length + refused.length, 1, `${who} on ${topic}`);
        if (heard.length > 0) letIn.push(who);
      }
      assert.deepEqual(sorted(letIn), sorted(writers), topic);
    }
  }));

test('subscribe by name, and by wildcard, live', () =>
  scene(async ({ broker, clients }) => {
    const filters = ['#', '+/+/+/#', 'hearth/#', 'hearth/+/+/+', 'hearth/+'];
    for (const filter of filters) {
      for (const client of Object.values(clients)) {
        client.packets.length = 0;
        client.subscribe(filter);
      }
      await turns();
      for (const client of Object.values(clients)) {
        assert.deepEqual(client.packets.find(({ cmd }) => cmd === 'suback')?.granted, [1], filter);
        client.packets.length = 0;
      }
      const matching = contract.filter(([topic]) => matches(filter, topic));
      for (const [topic] of matching) broker.bus.publish(topic, 'x', { qos: 1 });
      await turns();
      for (const [topic, , readers] of matching) {
        const got = everybody.filter(who => clients[who].topics.includes(topic));
        assert.deepEqual(sorted(got), sorted(readers), `${topic} by ${filter}`);
      }
      for (const client of Object.values(clients)) {
        client.say(client.bytes({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: [filter] }));
      }
      await turns();
    }
    for (const [topic, , readers] of contract) {
      for (const client of Object.values(clients)) {
        client.packets.length = 0;
        client.subscribe(topic);
      }
      await turns();
      const granted = everybody.filter(
        who => clients[who].packets.find(({ cmd }) => cmd === 'suback')?.granted?.[0] === 1,
      );
      assert.deepEqual(sorted(granted), sorted(readers), `${topic} by name`);
      broker.bus.publish(topic, 'x', { qos: 1 });
      await turns();
      const got = everybody.filter(who => clients[who].topics.includes(topic));
      assert.deepEqual(sorted(got), sorted(readers), `${topic} by name, live`);
    }
  }));

test('subscribe by wildcard, retained', () =>
  scene(async ({ broker, clients }) => {
    for (const [topic] of contract) broker.bus.publish(topic, 'x', { qos: 1, retain: true });
    for (const client of Object.values(clients)) client.subscribe('#');
    await turns(60);
    for (const [topic, , readers, kept] of contract) {
      const got = everybody.filter(who => clients[who].topics.includes(topic));
      assert.deepEqual(sorted(got), kept ? sorted(readers) : [], topic);
    }
  }));

test('$SYS and other topics of the broker: nobody', () =>
  scene(async ({ broker, clients, heard }) => {
    for (const who of everybody) {
      const client = clients[who];
      for (const filter of ['$SYS/#', '$SYS/broker/load', '$share/g/hearth/#', '$share/g/#']) {
        client.packets.length = 0;
        client.subscribe(filter);
        await turns();
        assert.ok((client.packets.find(({ cmd }) => cmd === 'suback')?.granted?.[0] ?? 0) >= 0x80, `${who} ${filter}`);
      }
      client.subscribe('#', '+/broker/load');
      client.packets.length = 0;
      const packet = {
        cmd: 'publish',
        topic: '$SYS/broker/load',
        payload: 'x',
        qos: 1,
        messageId: 9,
        retain: true,
      } as const;
      client.say(client.bytes({ ...packet, dup: false }));
      await turns();
      assert.equal(client.packets.find(({ cmd }) => cmd === 'puback')?.reasonCode, 0x87);
    }
    broker.bus.publish('$SYS/broker/load', 'x', { qos: 1, retain: true });
    await turns();
    for (const who of everybody) assert.ok(!clients[who].topics.includes('$SYS/broker/load'), who);
    assert.ok(!heard.some(({ topic }) => topic.startsWith('$')));
  }));

test('an integration has nodes follow their supervisor, and names no program', () =>
  scene(async ({ clients, heard, refused }) => {
    const say = async (topic: string, payload: string) => {
      heard.length = refused.length = 0;
      const packet = { cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false } as const;
      clients.integration.say(clients.integration.bytes(packet));
      await turns();
      return heard.length === 1 && refused.length === 0;
    };
    assert.ok(await say('hearth/node/n1/set/agent', 'follow'));
    const hash = JSON.stringify({ ver: '9.9.9', sha256: 'a'.repeat(64) });
    for (const other of [hash, '', 'follow ', 'Follow', `follow${'\0'.repeat(100)}`])
      assert.ok(!(await say('hearth/node/n1/set/agent', other)), other);
    for (const elsewhere of [
      'hearth/node/all/set/agent',
      'hearth/role/all/set/agent',
      'hearth/node/n1/set/agent/follow',
    ])
      assert.ok(!(await say(elsewhere, 'follow')), elsewhere);
  }));

test('response topic: only where the asker may write', () =>
  scene(async ({ clients, heard }) => {
    const asks: Partial<Record<Who, string>> = {
      admin: 'hearth/node/n1/set/a',
      operator: 'hearth/node/n1/set/a',
      integration: 'hearth/room/r1/set/mode',
      own: 'hearth/node/n1/info',
    };
    for (const [who, ask] of Object.entries(asks) as [Who, string][]) {
      for (const [topic, writers] of contract) {
        heard.length = 0;
        const client = clients[who];
        const packet = { cmd: 'publish', topic: ask, payload: '{}', qos: 0, retain: false, dup: false } as const;
        client.say(client.bytes({ ...packet, properties: { responseTopic: topic } }));
        await turns();
        assert.equal(heard[0]?.respond?.topic, writers.includes(who) ? topic : undefined, `${who} to ${topic}`);
      }
    }
  }));

test.run();
