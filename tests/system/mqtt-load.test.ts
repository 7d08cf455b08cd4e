/**
 * One bad client among good ones: frozen, flooding, or never acknowledging. The others notice nothing. Runs alone: it
 * measures how long others wait meanwhile.
 */
import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import { until } from '../fixture/processes.ts';
import { cpuMs, watchLoop } from '../fixture/promised-time.ts';
import { withBroker } from './mqtt/rig.ts';
import { Wire } from './mqtt/wire.ts';

const test = suite('embedded broker, load');

const kb = 1024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What is held in memory: what merely waits to be collected depends on V8's mood. */
async function heldBytes(): Promise<number> {
  for (let round = 0; round < 5; round++) {
    collectGarbage();
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const small = { softBufferBytes: 128 * kb, bufferBytes: 512 * kb, closeBufferBytes: 1024 * kb, drainMs: 1500 };

for (const qos of [0, 1] as const) {
  withBroker(
    test,
    `a frozen subscriber at QoS ${qos} loses alone: the others get everything, without a stall`,
    async rig => {
      const publisher = await Wire.connect(rig.port);
      const healthy = await Promise.all(Array.from({ length: 10 }, () => Wire.connect(rig.port)));
      const frozen = await Wire.connect(rig.port);
      for (const wire of [...healthy, frozen]) await wire.subscribe('a/b', qos);
      frozen.socket.pause();
      const payload = Buffer.alloc(16 * kb, 'x');
      const many = 1500;
      const loop = watchLoop();
      for (let i = 0; i < many; i++) {
        publisher.send(publisher.publishPacket('a/b', payload, qos));
        // As fast as the socket takes it, and no faster.
        if (publisher.socket.writableNeedDrain) await new Promise(resolve => publisher.socket.once('drain', resolve));
      }
      await until('all', () => healthy.every(wire => wire.messages.length === many));
      // Client and broker share this process and its loop: what holds that up is not the frozen one's doing.
      const mostMs = 1000 + loop.worstMs();
      for (const wire of healthy) {
        const times = wire.times.slice(-many);
        const gap = Math.max(...times.slice(1).map((at, i) => at - (times[i] as number)));
        assert.ok(gap < mostMs, `stalled for ${gap} ms`);
      }
      const { dropped, closedForQueue } = rig.broker.gauges();
      if (qos === 0) assert.ok(dropped > 0);
      else assert.equal(closedForQueue, 1);
      assert.ok(rig.broker.gauges().pendingBytes <= 1100 * kb);
      // It is closed in the end, so that it comes back and sees.
      await until('closed', () => rig.broker.gauges().connections === healthy.length + 1);
      await until('nothing of it is left', () => rig.broker.gauges().pendingBytes === 0);
    },
    { limits: small },
  );
}

withBroker(
  test,
  'a frozen subscriber that nobody writes to any more is closed after a while, one that reads slowly is not',
  async rig => {
    const [frozen, slow] = [await Wire.connect(rig.port), await Wire.connect(rig.port)];
    for (const wire of [frozen, slow]) {
      await wire.subscribe('a/b');
      wire.socket.pause();
    }
    const payload = 'x'.repeat(64 * kb);
    for (let i = 0; i < 200; i++) await rig.publish('a/b', payload, { qos: 0 });
    let pausing: NodeJS.Timeout | undefined;
    const reading = setInterval(() => {
      slow.socket.resume();
      pausing = setTimeout(() => slow.socket.pause(), 20);
    }, 300);
    await until('the frozen one is closed', () => rig.broker.gauges().frozen === 1);
    clearInterval(reading);
    clearTimeout(pausing);
    slow.socket.resume();
    await slow.heard();
    await until('only that one', () => rig.broker.gauges().connections === 1);
    assert.equal(slow.closed, false);
    assert.equal(rig.broker.gauges().frozen, 1);
  },
  { limits: { ...small, bufferBytes: 64 * kb * kb, drainMs: 4000 } },
);

withBroker(
  test,
  'who never acknowledges gets a window, then is closed; ids in use are not used twice',
  async rig => {
    const lazy = await Wire.connect(rig.port, { version: 5, properties: { receiveMaximum: 20 } });
    lazy.acknowledge = false;
    await lazy.subscribe('a/b', 1);
    for (let i = 0; i < 100; i++) await rig.publish('a/b', `${i}`);
    assert.equal((await lazy.heard()).length, 20);
    assert.equal(new Set(lazy.messages.map(packet => packet.messageId)).size, 20);
    // Acknowledging opens it, in order.
    lazy.acknowledge = true;
    for (const { messageId } of lazy.messages) lazy.send({ cmd: 'puback', messageId } as never);
    await until('all', () => lazy.messages.length === 100 || undefined);
    assert.deepEqual(
      lazy.messages.map(({ payload }) => `${payload}`),
      Array.from({ length: 100 }, (_, i) => `${i}`),
    );
    lazy.acknowledge = false;
    for (let i = 0; i < 100; i++) await rig.publish('a/b', 'x'.repeat(32 * kb));
    await lazy.ended();
    await until('nothing of it is left', () => rig.broker.gauges().pendingBytes === 0);
  },
  { limits: small },
);

withBroker(test, 'publishers wait for a subscriber that is slower than they are: nothing is lost', async rig => {
  const reader = await Wire.connect(rig.port);
  await reader.subscribe('a/b');
  const writers = await Promise.all([Wire.connect(rig.port), Wire.connect(rig.port)]);
  const payload = Buffer.alloc(64 * kb, 'x');
  // Reads a little at a time.
  const timer = setInterval(() => {
    reader.socket.resume();
    setImmediate(() => setImmediate(() => reader.socket.pause()));
  }, 2);
  for (const writer of writers) for (let i = 0; i < 200; i++) writer.send(writer.publishPacket('a/b', payload));
  await until('all', () => reader.messages.length === 400);
  clearInterval(timer);
  assert.equal(rig.broker.gauges().dropped, 0);
});

withBroker(
  test,
  'a flood of topics from one client costs bounded memory, and others are served in between',
  async rig => {
    const flood = await Wire.connect(rig.port);
    const other = await Wire.connect(rig.port);
    await other.subscribe('hearth/room/r1/in/+', 1);
    const before = await heldBytes();
    let slowest = 0;
    const many = 200_000;
    const stem = `flood/${'y'.repeat(60)}`;
    for (let i = 0; i < many; ) {
      const packets: Buffer[] = [];
      for (const end = i + 1000; i < end; i++)
        packets.push(flood.bytes(flood.publishPacket(`${stem}/${i}`, 'x', 0, i % 2 === 0)));
      if (!flood.socket.write(Buffer.concat(packets)))
        await new Promise(resolve => flood.socket.once('drain', resolve));
      if (i % 10_000 === 0) {
        const serve = async () => {
          await rig.publish('hearth/room/r1/in/temp_c', `${i}`);
          await other.find('in between', packet => `${packet.payload}` === `${i}`);
        };
        slowest = Math.max(slowest, await cpuMs(serve));
      }
    }
    await flood.heard();
    const gauges = rig.broker.gauges();
    assert.equal(gauges.published, many + many / 10_000);
    assert.equal(gauges.retainedCount, 5000);
    assert.equal(gauges.retainedRefused, many / 2 - 5000);
    assert.ok(gauges.topicsCached <= 32_768);
    assert.ok(slowest < 1000, `${slowest} ms of CPU time until another client was served`);
    const grown = ((await heldBytes()) - before) / kb / kb;
    // 150 bytes for each topic would be 29 MB.
    assert.ok(grown < 20, `grew by ${grown} MB`);
  },
  { limits: { retainedCount: 5000 }, filters: ['hearth/node/+/set/#'] },
);

withBroker(test, 'unanswered refusals cost nothing: a client that only writes what it may not', async rig => {
  const liar = await Wire.connect(rig.port);
  for (let i = 0; i < 20_000; i++) liar.send(liar.publishPacket(`hearth/node/n${i}/want`, 'x'));
  await liar.heard();
  assert.equal(rig.broker.gauges().refused, 20_000);
  assert.equal(rig.broker.gauges().connections, 1);
});

test.run();
