/** Retained messages: found without a scan, replayed in pieces, bounded, and there again after a kill. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { suite } from 'uvu';
import { folder, start, until } from '../fixture/processes.ts';
import { cpuMs } from '../fixture/promised-time.ts';
import { openRig, withBroker } from './mqtt/rig.ts';
import { endAll, Wire } from './mqtt/wire.ts';

const test = suite('embedded broker, retained messages');

const child = (cacheFolder: string) =>
  start(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'mqtt/broker-process.ts'), cacheFolder]);

/** The logs of the broker's cache, as they are on disk at this moment. */
const logs = (cache: string): string =>
  readdirSync(join(cache, 'mqtt'))
    .filter(name => name.endsWith('.log'))
    .map(name => readFileSync(join(cache, 'mqtt', name), 'latin1'))
    .join('');

async function all(wire: Wire, filter: string, qos: 0 | 1 = 1): Promise<string[]> {
  await wire.subscribe(filter, qos);
  await wire.heard();
  return wire.texts.sort();
}

withBroker(test, 'SUBSCRIBE to one topic among 100,000 retained does not visit the others', async rig => {
  for (let i = 0; i < 100_000; i++) {
    rig.broker.bus.publish(`homeassistant/sensor/d${i % 500}/v${i}/config`, '{}', { qos: 0, retain: true });
  }
  const wire = await Wire.connect(rig.port);
  const times: number[] = [];
  for (let i = 0; i < 200; i++) {
    const topic = `homeassistant/sensor/d${i}/v${i}/config`;
    const ask = async () => {
      await wire.subscribe(topic);
      await wire.find('the message', packet => packet.topic === topic);
    };
    times.push(await cpuMs(ask));
  }
  const middle = times.sort((a, b) => a - b)[100] as number;
  // A scan takes 35 ms, and this holds a whole client's work too.
  assert.ok(middle < 10, `${middle} ms of CPU`);
  const other = await Wire.connect(rig.port);
  await other.subscribe('homeassistant/sensor/+/v777/config');
  await other.heard();
  assert.equal(other.messages.length, 1);
});

withBroker(
  test,
  'a client that asks for all of 100,000 gets them in pieces; others are served in between',
  async rig => {
    for (let i = 0; i < 100_000; i++) rig.broker.bus.publish(`a/d${i % 500}/v${i}`, '{}', { qos: 0, retain: true });
    const [greedy, other] = [await Wire.connect(rig.port), await Wire.connect(rig.port)];
    await greedy.subscribe('#', 1);
    let slowest = 0;
    let rounds = 0;
    let most = 0;
    while (greedy.messages.length < 100_000) {
      slowest = Math.max(slowest, await cpuMs(() => other.heard()));
      most = Math.max(most, rig.broker.gauges().pendingBytes);
      rounds++;
    }
    assert.ok(rounds > 5, `${rounds} answers to another client in between`);
    assert.ok(slowest < 1000, `${slowest} ms of CPU time until another client had its answer`);
    assert.ok(most < 1024 * 1024, `${most} bytes waited`);
    assert.ok(greedy.messages.every(({ retain }) => retain));
  },
);

withBroker(test, 'replayed at the QoS of the subscription, with wildcards too', async rig => {
  await rig.publish('a/b', 'x', { retain: true });
  const wire = await Wire.connect(rig.port);
  await wire.subscribe('a/#', 0);
  await wire.subscribe('a/b', 0);
  await wire.subscribe('+/b', 1);
  assert.deepEqual(
    (await wire.heard()).map(({ qos, retain }) => `${qos} ${retain}`),
    ['0 true', '0 true', '1 true'],
  );
});

withBroker(test, 'MQTT 5: retain handling, expiry, user properties', async rig => {
  const from = await Wire.connect(rig.port, { version: 5 });
  const began = performance.now();
  const properties = { userProperties: { a: '1' }, contentType: 'text/x', messageExpiryInterval: 100 };
  from.send({ ...from.publishPacket('a/long', 'x', 0, true), properties } as never);
  from.send({ ...from.publishPacket('a/short', 'x', 0, true), properties: { messageExpiryInterval: 1 } } as never);
  await from.heard();
  const to = await Wire.connect(rig.port, { version: 5 });
  await to.subscribe('a/+', 0, { rh: 2 });
  assert.deepEqual(await to.heard(), []);
  await to.subscribe('a/+', 0, { rh: 1 });
  assert.deepEqual(await to.heard(), []);
  const end = performance.now() + 1100;
  await until('it has expired', () => performance.now() > end || undefined);
  await to.subscribe('a/+', 0, { rh: 0 });
  const [message, ...others] = await to.heard();
  assert.deepEqual(others, []);
  assert.equal(message?.topic, 'a/long');
  assert.equal(message?.properties?.contentType, 'text/x');
  assert.deepEqual({ ...(message?.properties?.userProperties as object) }, { a: '1' });
  const left = message?.properties?.messageExpiryInterval as number;
  assert.ok(left < 100 && left >= 98 - (performance.now() - began) / 1000, `${left} s left`);
  assert.equal(rig.broker.gauges().retainedCount, 1);
});

withBroker(
  test,
  'bounded by count and bytes; what is refused leaves no stale copy; telemetry and orders are never kept',
  async rig => {
    const node = await Wire.connect(rig.port, { clientId: 'hearth-n1' });
    const wire = await Wire.connect(rig.port);
    for (const part of ['load', 'lwt', 'heartbeat', 'cores', 'log/x', 'done']) {
      await node.publish(`hearth/node/n1/${part}`, 'x', true);
    }
    for (const part of ['set/a', 'do/b']) await wire.publish(`hearth/node/n1/${part}`, 'x', true);
    assert.equal(rig.broker.gauges().retainedCount, 0);
    for (let i = 0; i < 8; i++) await wire.publish(`a/${i}`, 'x', true);
    assert.equal(rig.broker.gauges().retainedCount, 5);
    assert.equal(rig.broker.gauges().retainedRefused, 3);
    await wire.publish('a/0', 'x'.repeat(20_000), true);
    assert.equal(rig.broker.gauges().retainedCount, 4);
    assert.ok(rig.broker.gauges().retainedBytes < 10_000);
    await wire.publish('a/0', 'x', true);
    // Nobody crowds out what nodes say of themselves.
    await node.publish('hearth/node/n1/info', '{}', true);
    assert.equal(rig.broker.gauges().retainedCount, 6);
    await wire.publish('a/0', 'x'.repeat(20_000), true);
    const other = await Wire.connect(rig.port);
    assert.deepEqual(await all(other, 'a/0'), []);
  },
  { limits: { retainedCount: 5, retainedBytes: 10_000 } },
);

test('retained messages are there after kill -9, cleared ones are not', async () => {
  const cache = folder();
  const first = child(cache);
  const port = Number((await first.line(/^port (\d+)$/m))[1]);
  const wire = await Wire.connect(port, { version: 5 });
  for (let i = 0; i < 300; i++) await wire.publish(`a/${i}`, `value ${i}`, true);
  await wire.publish('a/7', 'changed', true);
  await wire.publish('a/8', '', true);
  // Written behind, in order; what LevelDB has written is in its log as it is.
  await wire.publish('a/last', 'the end of it', true);
  await until('it is written', () => logs(cache).includes('the end of it'));
  first.child.kill('SIGKILL');
  await first.ended;
  const second = child(cache);
  const again = await Wire.connect(Number((await second.line(/^port (\d+)$/m))[1]));
  const texts = await all(again, 'a/#');
  assert.equal(texts.length, 300);
  assert.ok(
    texts.includes('a/7 changed') && texts.includes('a/299 value 299') && !texts.some(t => t.startsWith('a/8 ')),
  );
  await second.stop('SIGKILL');
});

test('changes of one topic are written together, telemetry never, and a damaged cache is started anew', async () => {
  const cacheFolder = folder();
  let rig = await openRig({ cacheFolder });
  const node = await Wire.connect(rig.port, { clientId: 'hearth-n1' });
  await node.publish('hearth/node/n1/load', '{"node":"n1"}', true);
  for (let i = 0; i < 500; i++) await node.publish('hearth/node/n1/is', `{"epoch":${i}}`, true);
  await rig.publish('hearth/node/n1/status', 'online', { retain: true });
  endAll();
  await rig.broker.close();
  const level = new ClassicLevel<string, Buffer>(join(cacheFolder, 'mqtt'), { valueEncoding: 'buffer' });
  assert.deepEqual(await level.keys().all(), ['r/hearth/node/n1/is', 'r/hearth/node/n1/status']);
  await level.put('r/hearth/broken', Buffer.from([9, 9, 9]));
  await level.put('s/broken', Buffer.from('{'));
  await level.close();
  rig = await openRig({ cacheFolder });
  assert.equal(rig.broker.gauges().retainedCount, 2);
  await assert.rejects(openRig({ cacheFolder }), /another supervisor is using .*--data/);
  await rig.broker.close();
  const broken = folder();
  mkdirSync(join(broken, 'mqtt'));
  writeFileSync(join(broken, 'mqtt', 'CURRENT'), 'MANIFEST-000099\n');
  rig = await openRig({ cacheFolder: broken });
  assert.equal(rig.broker.gauges().retainedCount, 0);
  await rig.broker.close();
});

test.run();
