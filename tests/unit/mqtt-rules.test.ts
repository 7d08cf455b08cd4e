/** Rules of MQTT that only hostile or unusual clients notice. */
import { Buffer } from 'node:buffer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KeptSessions } from '../../broker/mqtt/kept-sessions.ts';
import { onBroker } from '../fixture/memory-broker-test.ts';
import { MemoryClient, turns } from '../fixture/memory-client.ts';

const test = suite('mqtt: rules');

onBroker(test, 'a session is said to be present only where its subscriptions are', async broker => {
  const first = await MemoryClient.connect(broker, {
    version: 5,
    clientId: 'reader',
    clean: false,
    properties: { sessionExpiryInterval: 60 },
  });
  first.subscribe('a/+');
  await turns();
  first.destroy();
  await turns();
  // It comes back for its session and does not ask to have it kept any more.
  const again = await MemoryClient.connect(broker, { version: 5, clientId: 'reader', clean: false });
  broker.bus.publish('a/b', 'x', { qos: 0 });
  await turns();
  assert.is(again.packets[0]?.sessionPresent, true);
  assert.equal(again.topics, ['a/b']);
  again.destroy();
  await turns();
  const third = await MemoryClient.connect(broker, { version: 5, clientId: 'reader', clean: false });
  assert.is(third.packets[0]?.sessionPresent, false);
});

onBroker(
  test,
  'a client that works on one message at a time is not taken for one that does not read',
  async broker => {
    const worker = await MemoryClient.connect(broker, {
      version: 5,
      clientId: 'worker',
      properties: { receiveMaximum: 1 },
    });
    worker.subscribe('work/#');
    await turns();
    broker.bus.publish('work/1', 'x', { qos: 1 });
    await new Promise(resolve => setTimeout(resolve, 400));
    broker.bus.publish('work/2', 'x', { qos: 1 });
    await new Promise(resolve => setTimeout(resolve, 700));
    assert.not.ok(worker.destroyed);
    assert.is(broker.gauges().frozen, 0);
    worker.say(worker.bytes({ cmd: 'puback', messageId: worker.packets.at(-1)?.messageId ?? 0 }));
    await turns();
    assert.equal(worker.topics, ['work/1', 'work/2']);
  },
  { drainMs: 300 },
);

onBroker(test, 'a session is written down once a turn, and at the latest when its client is gone', async broker => {
  const { keep } = KeptSessions.prototype;
  let written = 0;
  KeptSessions.prototype.keep = function (...list) {
    written++;
    keep.apply(this, list);
  };
  try {
    const client = await MemoryClient.connect(broker, { clientId: 'reader', clean: false });
    const subscribe = (topic: string) =>
      client.bytes({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 1 }] });
    client.say(...Array.from({ length: 500 }, (_, i) => subscribe(`a/${i % 5}`)));
    await turns();
    assert.is(written, 1);
    client.say(subscribe('b'));
    client.destroy();
    await turns();
  } finally {
    KeptSessions.prototype.keep = keep;
  }
  const again = await MemoryClient.connect(broker, { clientId: 'reader', clean: false });
  for (const topic of ['a/0', 'a/4', 'b', 'c']) broker.bus.publish(topic, 'x', { qos: 0 });
  await turns();
  assert.equal(again.topics, ['a/0', 'a/4', 'b']);
});

onBroker(test, 'acknowledgements keep the order of their messages, refused ones too', async broker => {
  const client = await MemoryClient.connect(broker, { version: 5 });
  const publish = (topic: string, messageId: number, more: object = {}) =>
    client.bytes({ cmd: 'publish', topic, payload: 'x', qos: 1, dup: false, retain: false, messageId, ...more });
  client.say(
    publish('a', 1),
    publish('hearth/node/n1/want', 2),
    publish('a', 3),
    publish('a', 4, { properties: { contentType: 't' } }),
    publish('a', 5),
  );
  await turns();
  assert.equal(
    client.packets.filter(({ cmd }) => cmd === 'puback').map(({ messageId }) => messageId),
    [1, 2, 3, 4, 5],
  );
});

onBroker(test, 'the retain flag of an order reaches nobody, not even who asked for it as published', async broker => {
  const bridge = await MemoryClient.connect(broker, { version: 5, clientId: 'bridge' });
  const subscriptions = [{ topic: '#', qos: 0 as const, rap: true }];
  bridge.say(bridge.bytes({ cmd: 'subscribe', messageId: 1, subscriptions }));
  await turns();
  const person = await MemoryClient.connect(broker, { clientId: 'person' });
  for (const topic of ['hearth/node/n1/set/x', 'hearth/node/n1/do/restart', 'light/set']) {
    person.say(person.bytes({ cmd: 'publish', topic, payload: 'x', qos: 0, dup: false, retain: true }));
  }
  await turns();
  const flags = bridge.packets.flatMap(one => (one.cmd === 'publish' ? [`${one.topic} ${one.retain}`] : []));
  assert.equal(flags, ['hearth/node/n1/set/x false', 'hearth/node/n1/do/restart false', 'light/set true']);
});

onBroker(test, 'nothing is heard after a DISCONNECT or a broken packet in the same segment', async broker => {
  const watcher = await MemoryClient.connect(broker, { clientId: 'watcher' });
  watcher.subscribe('#');
  for (const last of [Buffer.from([0xe0, 0]), Buffer.from([0x32, 6, 0, 1, 0x61, 0, 0, 0x78]), Buffer.from([0xf0, 0])]) {
    const client = await MemoryClient.connect(broker);
    client.say(last, client.bytes({ cmd: 'publish', topic: 'late', payload: 'x', qos: 0, dup: false, retain: false }));
    await turns();
    assert.ok(client.destroyed);
  }
  assert.not.ok(watcher.topics.includes('late'));
});

onBroker(test, 'what was said last is heard before the end, by everybody who reads', async broker => {
  const slow = await MemoryClient.connect(broker, { clientId: 'slow' });
  const frozen = await MemoryClient.connect(broker, { clientId: 'frozen' });
  for (const client of [slow, frozen]) client.subscribe('a/#');
  await turns();
  slow.reads = false;
  frozen.reads = false;
  for (let i = 0; i < 800; i++) broker.bus.publish(`a/${i}`, 'x'.repeat(1000), { qos: 0 });
  broker.bus.publish('a/farewell', 'offline', { qos: 1 });
  const closed = broker.close();
  await turns();
  slow.readOn();
  await closed;
  assert.is(slow.topics.at(-1), 'a/farewell');
  assert.ok(frozen.destroyed);
});

onBroker(
  test,
  'MQTT 5: the longest packet is told at the start, and who sends a longer one is told why',
  async broker => {
    const watcher = await MemoryClient.connect(broker, { clientId: 'watcher' });
    watcher.subscribe('w/t');
    const will = { topic: 'w/t', payload: Buffer.from('gone'), qos: 0 as const, retain: false };
    const client = await MemoryClient.connect(broker, { version: 5, will });
    const most =
      (client.packets[0] as { properties?: { maximumPacketSize?: number } }).properties?.maximumPacketSize ?? 0;
    const bytes = client.bytes({
      cmd: 'publish',
      topic: 'a',
      payload: Buffer.alloc(most),
      qos: 0,
      dup: false,
      retain: false,
    });
    client.say(bytes);
    await turns();
    assert.equal([client.packets.at(-1)?.cmd, client.packets.at(-1)?.reasonCode], ['disconnect', 0x95]);
    assert.ok(client.destroyed);
    assert.equal(watcher.topics, ['w/t']);
  },
);

test.run();
