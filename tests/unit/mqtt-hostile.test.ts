/** What a client may do to the embedded broker on purpose, and what that may cost the others: nothing. */
import { Buffer } from 'node:buffer';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RetainedMessages } from '../../broker/mqtt/retained.ts';
import { onBroker } from '../fixture/memory-broker-test.ts';
import { MemoryClient, turns } from '../fixture/memory-client.ts';
import { until } from '../fixture/processes.ts';

const test = suite('mqtt: hostile clients');

const text = (value: string): Buffer =>
  Buffer.concat([Buffer.from([value.length >> 8, value.length & 255]), Buffer.from(value)]);
/** A packet short enough for one byte of length. */
const packet = (first: number, ...body: Buffer[]): Buffer => {
  const whole = Buffer.concat(body);
  return Buffer.concat([Buffer.from([first, whole.length]), whole]);
};
const connect5 = (flags: number, properties: Buffer, ...rest: Buffer[]): Buffer =>
  packet(0x10, text('MQTT'), Buffer.from([5, flags, 0, 10, properties.length]), properties, ...rest);
/** A user property `a` whose value claims to be longer than the packet. */
const cutOff = Buffer.concat([Buffer.from([0x26]), text('a'), Buffer.from([0xff, 0xff])]);

onBroker(
  test,
  'properties that are cut off or come twice end the connection that sent them, and nothing else',
  async broker => {
    const watcher = await MemoryClient.connect(broker, { version: 5, clientId: 'watcher' });
    watcher.subscribe('#');
    const two = (type: number, value: Buffer) =>
      Buffer.concat([Buffer.from([type]), value, Buffer.from([type]), value]);
    const publishes: Record<string, Buffer> = {
      'user property cut off': cutOff,
      'content type cut off': Buffer.from([3, 0xff, 0xff]),
      'second content type cut off': Buffer.concat([Buffer.from([3]), text('t'), Buffer.from([3, 0xff, 0xff])]),
      'two response topics': two(8, text('r/t')),
      'two expiries': two(2, Buffer.from([0, 0, 0, 9])),
      'two correlations': two(9, text('c')),
    };
    for (const [what, properties] of Object.entries(publishes)) {
      const client = await MemoryClient.connect(broker, { version: 5, clientId: 'sender' });
      client.say(
        packet(0x31, text('hearth/node/n1/set/x'), Buffer.from([properties.length]), properties, text('payload')),
      );
      client.say(packet(0x31, text('a/b'), Buffer.from([properties.length]), properties, text('payload')));
      await turns();
      assert.ok(client.destroyed, what);
    }
    assert.equal(broker.gauges().retainedCount, 0, 'none of it is kept, for later subscribers to fall over');
    assert.equal(watcher.topics, []);
    assert.not.ok(watcher.destroyed);
  },
);

onBroker(test, 'a will whose properties are cut off is refused with its CONNECT', async broker => {
  const client = new MemoryClient(broker, 5);
  client.say(
    connect5(6, Buffer.alloc(0), text('willy'), Buffer.from([cutOff.length]), cutOff, text('w/t'), text('gone')),
  );
  await turns();
  assert.equal(client.packets, []);
  client.destroy();
  await turns();
  assert.equal(broker.gauges().connections, 0);
});

onBroker(test, 'two Receive Maximum in one CONNECT are no way round the window', async broker => {
  const client = new MemoryClient(broker, 5);
  client.say(connect5(2, Buffer.from([0x21, 0, 1, 0x21, 0, 2]), text('rm')));
  await turns();
  assert.ok(client.destroyed);
});

onBroker(
  test,
  'text in properties that strict receivers would close over is answered, and passed on to nobody',
  async (broker, refused) => {
    const watcher = await MemoryClient.connect(broker, { version: 5, clientId: 'watcher' });
    watcher.subscribe('#');
    const client = await MemoryClient.connect(broker, { version: 5, clientId: 'sender' });
    const bad = [
      { contentType: 'a\u0000b' },
      { userProperties: { 'k\u0007': 'v' } },
      { responseTopic: 'a/#' },
      { responseTopic: '\u0001' },
    ];
    for (const properties of bad) {
      client.say(
        client.bytes({ cmd: 'publish', topic: 'a/b', payload: 'x', qos: 0, dup: false, retain: true, properties }),
      );
    }
    client.say(
      client.bytes({
        cmd: 'publish',
        topic: 'a/c',
        payload: 'x',
        qos: 0,
        dup: false,
        retain: false,
        properties: { contentType: 'ä' },
      }),
    );
    await turns();
    assert.is(refused.length, bad.length);
    assert.equal(watcher.topics, ['a/c']);
    assert.not.ok(client.destroyed);
  },
);

onBroker(test, 'who leaves right after CONNECT does not take the place of the one who lives', async broker => {
  const node = await MemoryClient.connect(broker, { clientId: 'hearth-n1' });
  const passing = new MemoryClient(broker);
  passing.say(passing.connectPacket({ clientId: 'hearth-n1' }));
  await Promise.resolve();
  passing.destroy();
  await turns();
  node.say(node.bytes({ cmd: 'pingreq' }));
  await turns();
  assert.is(node.packets.at(-1)?.cmd, 'pingresp');
});

onBroker(test, 'of two that replace one in the same moment, one stays', async broker => {
  const first = await MemoryClient.connect(broker, { version: 5, clientId: 'same' });
  const second = new MemoryClient(broker, 5);
  const third = new MemoryClient(broker, 5);
  second.say(second.connectPacket({ clientId: 'same' }));
  third.say(third.connectPacket({ clientId: 'same' }));
  await until('two of the three are gone', () => first.destroyed && (second.destroyed || third.destroyed));
  third.say(third.bytes({ cmd: 'pingreq' }));
  await turns();
  assert.is(third.packets.at(-1)?.cmd, 'pingresp');
  assert.is(broker.gauges().connections, 1);
});

onBroker(
  test,
  'who fills the broker with retained messages does not keep the supervisor from its own',
  async broker => {
    const flooder = await MemoryClient.connect(broker);
    for (let i = 0; i < 20; i++) {
      flooder.say(flooder.bytes({ cmd: 'publish', topic: `x/${i}`, payload: 'x', qos: 0, dup: false, retain: true }));
    }
    await turns();
    assert.is(broker.gauges().retainedCount, 10);
    broker.bus.publish('hearth/node/n1/want', '{}', { qos: 1, retain: true });
    broker.bus.publish('hearth/node/n1/want', 'x'.repeat(3000), { qos: 1, retain: true });
    const node = await MemoryClient.connect(broker, { clientId: 'hearth-n1' });
    node.subscribe('hearth/node/n1/want');
    await turns();
    assert.equal(node.topics, ['hearth/node/n1/want']);
  },
  { retainedCount: 10, retainedBytes: 2000 },
);

onBroker(
  test,
  'subscribing to the same over and over leaves one replay, and a step of many filters is answered',
  async broker => {
    for (let i = 0; i < 2000; i++) broker.bus.publish(`x/${i}`, 'x', { qos: 0, retain: true });
    const client = await MemoryClient.connect(broker);
    for (let i = 0; i < 50; i++) client.subscribe('x/#');
    await turns(60);
    const last = client.packets.findLastIndex(({ cmd }) => cmd === 'suback');
    assert.is(client.packets.slice(last).filter(({ cmd }) => cmd === 'publish').length, 2000);
    assert.ok(client.topics.length < 4000, `${client.topics.length} messages for 50 subscriptions`);
    client.subscribe(...Array.from({ length: 20_000 }, (_, i) => `y/${i % 3}`));
    await turns();
    const granted = client.packets.findLast(({ cmd }) => cmd === 'suback')?.granted ?? [];
    assert.is(granted.length, 20_000);
    assert.is(granted[1], 1);
    assert.is(granted.at(-1), 0x80);
  },
);

onBroker(
  test,
  'who sends pings and reads no answer is closed, and costs two bytes a ping until then',
  async broker => {
    const client = await MemoryClient.connect(broker);
    client.reads = false;
    const pings = Buffer.alloc(8192, Buffer.from([0xc0, 0]));
    let most = 0;
    for (let i = 0; i < 20 && !client.destroyed; i++) {
      client.say(pings);
      await turns(2);
      most = Math.max(most, broker.gauges().pendingBytes);
    }
    assert.ok(client.destroyed);
    assert.ok(most <= 65_536 + 2 * 8192, `${most} bytes waited`);
  },
  { closeBufferBytes: 65_536 },
);

test('a search in vain pauses now and then', () => {
  const retained = new RetainedMessages({ count: 10_000, bytes: 10_000_000 });
  for (let i = 0; i < 5000; i++) retained.set({ topic: `a/b${i}/c`, payload: Buffer.from('x'), qos: 0 });
  const walked = [...retained.match('+/+/nothing', () => 0)];
  assert.ok(walked.length > 50, `${walked.length} pauses`);
  assert.is(walked.filter(Boolean).length, 0);
});

test.run();
