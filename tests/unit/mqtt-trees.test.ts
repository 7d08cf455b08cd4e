/** The filter tree, the retained tree and the framer against their definitions, over random cases. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duplex, Writable } from 'node:stream';
import fc from 'fast-check';
import mqtt, { type Packet } from 'mqtt-packet';
import { suite } from 'uvu';
import { BrokerCache } from '../../broker/mqtt/cache.ts';
import { FilterTree, whyNoFilter, whyNoTopic } from '../../broker/mqtt/filters.ts';
import { Framer } from '../../broker/mqtt/framing.ts';
import { Flusher, Outgoing } from '../../broker/mqtt/outgoing.ts';
import { encodeAck, encodeGranted, encodePublish } from '../../broker/mqtt/packets.ts';
import { RetainedMessages } from '../../broker/mqtt/retained.ts';
import { decodeRetained, encodeRetained } from '../../broker/mqtt/retained-codec.ts';
import { silentLog } from '../../shared/log.ts';
import { matches } from '../../shared/topics.ts';

const test = suite('broker trees and bytes');

const level = fc.constantFrom('a', 'b', 'c', '', '$x');
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map(levels => levels.join('/') || 'a');
const filter = fc
  .tuple(fc.array(fc.constantFrom('a', 'b', '', '+', '$x'), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, rest]) => (rest ? [...levels.slice(1), '#'] : levels).join('/') || '+');
const bounds = { topicLevels: 32, topicCharacters: 512 };

test('a topic finds exactly the filters that match it, whatever was added and removed before', () => {
  fc.assert(
    fc.property(
      fc.array(filter, { maxLength: 20 }),
      fc.array(fc.nat(19), { maxLength: 10 }),
      topic,
      (filters, removed, name) => {
        const tree = new FilterTree<number>();
        for (const [index, text] of filters.entries()) tree.add(text, index);
        const gone = new Set(removed.filter(index => index < filters.length));
        for (const index of gone) tree.remove(filters[index] as string, index);
        const found: number[] = [];
        tree.match(name, value => found.push(value));
        const expected = [...filters.keys()].filter(
          index => !gone.has(index) && matches(filters[index] as string, name),
        );
        assert.deepEqual(
          found.sort((a, b) => a - b),
          expected,
        );
      },
    ),
    { numRuns: 500 },
  );
});

test('a filter finds exactly the retained topics it matches; count and bytes follow', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(topic, fc.boolean()), { maxLength: 30 }), filter, (steps, text) => {
      const retained = new RetainedMessages({ count: 1000, bytes: 1e6 });
      const model = new Set<string>();
      for (const [name, set] of steps.filter(([name]) => !name.startsWith('$'))) {
        if (set) retained.set({ topic: name, payload: Buffer.from('x'), qos: 0 });
        else retained.delete(name);
        if (set) model.add(name);
        else model.delete(name);
      }
      assert.equal(retained.count, model.size);
      assert.equal(retained.bytes > 0, model.size > 0);
      const found = [...retained.match(text, () => 0)].flatMap(message => message?.topic ?? []);
      assert.deepEqual(found.sort(), [...model].filter(name => matches(text, name)).sort());
    }),
    { numRuns: 500 },
  );
});

test('packets come out whole and in order, wherever the stream is cut', () => {
  const packet = fc.oneof(
    fc.record({ topic, size: fc.nat(400) }).map(({ topic, size }) => ({ topic, payload: Buffer.alloc(size, 'x') })),
    fc.constant(undefined),
  );
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 20 }), fc.array(fc.nat(2000), { maxLength: 10 }), (packets, cuts) => {
      const frames = packets.map(p => (p ? encodePublish(p, 4, 0, false).frame : Buffer.from([0xc0, 0])));
      const stream = Buffer.concat(frames);
      const got: Buffer[] = [];
      const framer = new Framer(1000, {
        frame: (chunk, start, body, end) => {
          assert.ok(body > start && body <= end);
          got.push(Buffer.from(chunk.subarray(start, end)));
          // Every fifth says stop, and goes on later.
          framer.hold = got.length % 5 === 0;
          return !framer.hold;
        },
        broken: why => assert.fail(why),
      });
      const at = [...new Set([0, ...cuts.filter(cut => cut < stream.length), stream.length])].sort((a, b) => a - b);
      for (let i = 1; i < at.length; i++) {
        framer.feed(stream.subarray(at[i - 1], at[i]));
        while (framer.hold) framer.again();
      }
      assert.deepEqual(got, frames);
      assert.equal(framer.waiting, 0);
    }),
    { numRuns: 300 },
  );
});

test('while it holds, what comes is kept and not cut; then it goes on in order', () => {
  const got: number[] = [];
  const framer = new Framer(100, {
    frame: (chunk, start) => {
      got.push(chunk[start] as number);
      // As at CONNECT: nothing after it is looked at before CONNACK.
      if (chunk[start] === 0x10) framer.hold = true;
      return true;
    },
    broken: why => assert.fail(why),
  });
  framer.feed(Buffer.from([0x10, 0, 0xc0, 0]));
  framer.feed(Buffer.from([0xd0, 0]));
  assert.deepEqual(got, [0x10]);
  assert.equal(framer.waiting, 4);
  framer.again();
  assert.deepEqual(got, [0x10, 0xc0, 0xd0]);
});

test('what is to be sent waits until the connection is open', async () => {
  const written: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk.toString());
      done();
    },
  });
  const outgoing = new Outgoing(stream as Duplex, new Flusher(), () => 0);
  outgoing.push(Buffer.from('early'));
  await new Promise<void>(resolve => setImmediate(() => setImmediate(resolve)));
  assert.deepEqual(written, []);
  stream.write('CONNACK');
  outgoing.open();
  assert.deepEqual(written, ['CONNACK', 'early']);
});

test('what is encoded here, mqtt-packet reads', () => {
  const read = (bytes: Buffer, protocolVersion: 4 | 5): Packet & Record<string, unknown> => {
    const parser = mqtt.parser({ protocolVersion });
    const packets: Packet[] = [];
    parser.on('packet', (packet: Packet) => packets.push(packet));
    parser.on('error', (error: Error) => assert.fail(error.message));
    parser.parse(bytes);
    assert.equal(packets.length, 1);
    return packets[0] as never;
  };
  for (const version of [4, 5] as const) {
    for (const size of [0, 100, 127, 128, 16_384, 2_097_152]) {
      for (const qos of [0, 1] as const) {
        const payload = Buffer.alloc(size, 'é');
        const { frame, idAt } = encodePublish({ topic: 'ä/b', payload }, version, qos, true);
        if (qos > 0) frame.writeUInt16BE(513, idAt);
        const packet = read(frame, version);
        assert.equal(packet.topic, 'ä/b');
        assert.ok(payload.equals(packet.payload as Buffer));
        assert.deepEqual([packet.qos, packet.retain, packet.messageId], [qos, true, qos ? 513 : undefined]);
      }
    }
    assert.equal(read(encodeAck('puback', 700, version, 0x87), version).messageId, 700);
    assert.deepEqual(read(encodeGranted('suback', 7, version, [0, 1]), version).granted, [0, 1]);
    assert.equal(read(encodeGranted('unsuback', 7, version, [0]), version).messageId, 7);
  }
  const properties = { contentType: 'x', correlationData: Buffer.from([1]), userProperties: { a: ['1', '2'] } };
  const { frame, idAt } = encodePublish({ topic: 'a', payload: Buffer.from('x'), properties }, 5, 1, false, [3, 300]);
  frame.writeUInt16BE(9, idAt);
  const packet = read(frame, 5);
  assert.equal(packet.messageId, 9);
  assert.deepEqual((packet.properties as { subscriptionIdentifier: number[] }).subscriptionIdentifier, [3, 300]);
});

test('the cache reads what it wrote, and nothing else breaks it', () => {
  const message = {
    topic: 'a/b',
    payload: Buffer.from('x'),
    qos: 1 as const,
    properties: { contentType: 'y', correlationData: Buffer.from([7]) },
    expiresAt: 12_345,
  };
  const back = decodeRetained('a/b', encodeRetained(message));
  assert.deepEqual({ ...back, properties: { ...back?.properties } }, message);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, known) => {
      const buffer = Buffer.from(bytes);
      if (known && buffer.length > 0) buffer[0] = 1;
      decodeRetained('a', buffer);
    }),
  );
});

test('the cache gives back every key, whatever it begins with, and no others', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-cache-'));
  try {
    const topics = ['\u0001', 'a/b', 'ä', '\uffff', '😀/light'];
    const first = await BrokerCache.open(folder, silentLog);
    for (const name of topics) first.write(`r/${name}`, Buffer.from('x'));
    first.write('s/client', Buffer.from('x'));
    await first.close();
    const again = await BrokerCache.open(folder, silentLog);
    const found: string[] = [];
    await again.read('r/', key => found.push(key));
    await again.close();
    assert.deepEqual(found.sort(), topics.sort());
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what waits for a disk is bounded: topics that come and go without end', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-cache-'));
  try {
    const cache = await BrokerCache.open(folder, silentLog);
    cache.write('r/kept', Buffer.from('x'));
    for (let i = 0; i < 900_000; i++) cache.write(`r/${i}`, undefined);
    assert.ok(cache.waiting <= 400_000, `${cache.waiting}`);
    await cache.close();
    const again = await BrokerCache.open(folder, silentLog);
    const found: string[] = [];
    await again.read('r/', key => found.push(key));
    await again.close();
    assert.deepEqual(found, ['kept']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('topics and filters that are none', () => {
  for (const name of ['', 'a/+', '#', 'a\u0000', 'a\ufffdb', 'x'.repeat(513), '/'.repeat(32), 'a\nb']) {
    assert.ok(whyNoTopic(name, bounds), JSON.stringify(name));
  }
  for (const name of ['a', '/', 'a//b', 'Ünï/çödé', '/'.repeat(31)]) assert.equal(whyNoTopic(name, bounds), undefined);
  for (const text of ['a/#/b', 'a#', '+a', 'a/b+', '']) assert.ok(whyNoFilter(text, bounds), text);
  for (const text of ['#', '+', 'a/+/b/#', '/+', '+/']) assert.equal(whyNoFilter(text, bounds), undefined, text);
});

test.run();
