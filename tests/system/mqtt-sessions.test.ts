/** Who speaks for a client id, what becomes of wills, and what is kept of a client while it is away. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { folder, until } from '../fixture/processes.ts';
import { openRig, type Rig, withBroker } from './mqtt/rig.ts';
import { endAll, Wire } from './mqtt/wire.ts';

const test = suite('embedded broker, sessions');

const lwt = 'hearth/node/n1/lwt';
const will = (payload: string, more: object = {}) => ({
  topic: lwt,
  payload: Buffer.from(payload),
  qos: 1 as const,
  retain: false,
  ...more,
});
const lines = (rig: Rig) => rig.told.filter(line => !line.startsWith('refused'));

for (const version of [4, 5] as const) {
  withBroker(test, `the will comes before the word that the connection is gone, MQTT ${version}`, async rig => {
    const node = await Wire.connect(rig.port, { version, clientId: 'hearth-n1', will: will('offline') });
    node.end();
    await until('gone', () => rig.told.includes('- hearth-n1') || undefined);
    assert.deepEqual(lines(rig), ['+ hearth-n1', `${lwt} offline`, '- hearth-n1']);
  });

  withBroker(test, `a farewell is no will, MQTT ${version}`, async rig => {
    const node = await Wire.connect(rig.port, { version, clientId: 'hearth-n1', will: will('offline') });
    node.send({ cmd: 'disconnect' } as never);
    await until('gone', () => rig.told.includes('- hearth-n1') || undefined);
    assert.deepEqual(lines(rig), ['+ hearth-n1', '- hearth-n1']);
  });

  for (const many of [0, 1, 8, 40]) {
    withBroker(test, `a takeover with ${many} subscriptions never shows the old will, MQTT ${version}`, async rig => {
      const connect = (round: number) =>
        Wire.connect(rig.port, {
          version,
          clientId: 'hearth-n1',
          will: will(`offline ${round}`, {
            retain: true,
            ...(version === 5 && { properties: { willDelayInterval: 5 } }),
          }),
          ...(version === 5 && { properties: { sessionExpiryInterval: 60 } }),
        });
      let old: Wire | undefined;
      for (let round = 1; round <= 9; round++) {
        const node = await connect(round);
        if (many > 0)
          await node.subscribe(Array.from({ length: many }, (_, i) => `hearth/node/n1/cmd${i ? `/x${i}` : ''}`));
        await node.publish(lwt, `online ${round}`);
        await old?.ended();
        old = node;
      }
      assert.deepEqual(
        lines(rig),
        Array.from({ length: 9 }, (_, i) => ['+ hearth-n1', `${lwt} online ${i + 1}`]).flat(),
      );
      old?.end();
      await until('gone', () => rig.told.includes('- hearth-n1') || undefined);
      assert.deepEqual(lines(rig).slice(-2), [`${lwt} offline 9`, '- hearth-n1']);
    });
  }
}

withBroker(test, 'a newcomer that dies before its CONNACK still ends what it replaced', async rig => {
  const old = await Wire.connect(rig.port, { clientId: 'hearth-n1', will: will('old') });
  const fresh = await Wire.open(rig.port);
  fresh.sendConnect({ clientId: 'hearth-n1' });
  fresh.socket.end();
  await old.ended();
  await until('told', () => rig.told.includes('- hearth-n1') || undefined);
  assert.equal(
    rig.told.filter(line => line === '+ hearth-n1').length,
    rig.told.filter(line => line === '- hearth-n1').length,
  );
});

withBroker(test, 'closing the broker sends no wills: that would call the whole fleet offline', async rig => {
  await Wire.connect(rig.port, { clientId: 'hearth-n1', will: will('offline', { retain: true }) });
  const stranger = await Wire.open(rig.port);
  await rig.broker.close();
  assert.deepEqual(lines(rig), ['+ hearth-n1']);
  await stranger.ended();
});

withBroker(test, "another's will topic is refused like a publish", async rig => {
  const liar = await Wire.connect(rig.port, { clientId: 'liar', will: will('n1 is dead') });
  liar.end();
  await until('told', () => rig.told.some(line => line.startsWith(`refused ${lwt}`)) || undefined);
  assert.ok(!rig.told.includes(`${lwt} n1 is dead`));
});

withBroker(test, 'kick: DISCONNECT with a reason on MQTT 5, no will', async rig => {
  const node = await Wire.connect(rig.port, { version: 5, clientId: 'hearth-n1', will: will('offline') });
  await until('told', () => rig.connections[0]);
  rig.broker.bus.kick(rig.connections[0] as never, 'a test');
  assert.equal((await node.packet('disconnect')).reasonCode, 0x98);
  await until('gone', () => rig.told.includes('- hearth-n1') || undefined);
  assert.deepEqual(lines(rig), ['+ hearth-n1', '- hearth-n1']);
});

withBroker(
  test,
  'a denied filter beside an allowed one is not let in by the back door of a kept session',
  async rig => {
    const id = { clientId: 'spy', clean: false };
    const first = await Wire.connect(rig.port, id);
    assert.deepEqual(await first.subscribe(['a/allowed', 'hearth/node/n1/cmd'], 1), [1, 0x80]);
    first.end();
    await until('gone', () => rig.told.includes('- spy') || undefined);
    const second = await Wire.connect(rig.port, id);
    assert.equal(second.packets[0]?.sessionPresent, true);
    await rig.publish('hearth/node/n1/cmd', 'secret');
    await rig.publish('a/allowed', 'fine');
    await until('allowed', () => second.texts.length > 0 || undefined);
    assert.deepEqual(
      (await second.heard()).map(({ topic }) => topic),
      ['a/allowed'],
    );
  },
);

for (const version of [4, 5] as const) {
  test(`subscriptions, and nothing else, are kept for who asks, over a restart too, MQTT ${version}`, async () => {
    const cacheFolder = folder();
    const keep = version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {};
    const options = { version, clientId: 'grafana', clean: false, ...keep };
    let rig = await openRig({ cacheFolder });
    const first = await Wire.connect(rig.port, options);
    assert.equal(first.packets[0]?.sessionPresent, false);
    await first.subscribe(['hearth/node/+/load', 'a/b', 'a/gone'], 1);
    first.send({ cmd: 'unsubscribe', messageId: 99, unsubscriptions: ['a/gone'] } as never);
    await first.packet('unsuback');
    first.send({ cmd: 'disconnect' } as never);
    await until('gone', () => rig.told.includes('- grafana') || undefined);
    await rig.publish('a/b', 'while away');
    const again = await Wire.connect(rig.port, options);
    assert.equal(again.packets[0]?.sessionPresent, true);
    await rig.publish('a/b', 'back');
    await rig.publish('a/gone', 'x');
    await until('back', () => again.texts.length > 0 || undefined);
    assert.deepEqual(
      (await again.heard()).map(({ payload, qos }) => `${payload} ${qos}`),
      ['back 1'],
    );
    endAll();
    await rig.broker.close();

    rig = await openRig({ cacheFolder });
    const later = await Wire.connect(rig.port, options);
    assert.equal(later.packets[0]?.sessionPresent, true);
    await rig.publish('a/b', 'after the restart');
    await until('heard', () => later.texts.length > 0 || undefined);
    assert.equal(rig.broker.gauges().sessionsKept, 1);
    // A clean start forgets it.
    const clean = await Wire.connect(rig.port, { version, clientId: 'grafana', clean: true });
    assert.equal(clean.packets[0]?.sessionPresent, false);
    assert.equal(rig.broker.gauges().sessionsKept, 0);
    endAll();
    await rig.broker.close();
    rig = await openRig({ cacheFolder });
    assert.equal(rig.broker.gauges().sessionsKept, 0);
    await rig.broker.close();
  });
}

withBroker(
  test,
  'kept sessions are bounded in number and size',
  async rig => {
    for (let i = 0; i < 5; i++) {
      const wire = await Wire.connect(rig.port, { clientId: `c${i}`, clean: false });
      await wire.subscribe(['a', 'b', 'c']);
      wire.end();
      await until('gone', () => rig.told.includes(`- c${i}`) || undefined);
    }
    assert.equal(rig.broker.gauges().sessionsKept, 3);
    const back = await Wire.connect(rig.port, { clientId: 'c4', clean: false });
    assert.equal(back.packets[0]?.sessionPresent, true);
    assert.equal(rig.broker.gauges().subscriptions, 2);
    assert.equal((await Wire.connect(rig.port, { clientId: 'c0', clean: false })).packets[0]?.sessionPresent, false);
  },
  { limits: { keptSessions: 3, keptSubscriptions: 2 } },
);

withBroker(
  test,
  'a kept session that nobody comes back for expires',
  async rig => {
    const wire = await Wire.connect(rig.port, { clientId: 'c3', clean: false });
    await wire.subscribe('a');
    assert.equal(rig.broker.gauges().sessionsKept, 1);
    wire.end();
    await until('gone', () => rig.told.includes('- c3'));
    const end = performance.now() + 400;
    await until('the time is over', () => performance.now() > end);
    assert.equal((await Wire.connect(rig.port, { clientId: 'c3', clean: false })).packets[0]?.sessionPresent, false);
  },
  { limits: { keptMs: 300 } },
);

withBroker(
  test,
  'MQTT 5: a session ends with its connection where no expiry was asked for, or DISCONNECT takes it back',
  async rig => {
    const without = await Wire.connect(rig.port, { version: 5, clientId: 'a', clean: false });
    await without.subscribe('a/b');
    const keep = { version: 5 as const, clientId: 'b', clean: false, properties: { sessionExpiryInterval: 3600 } };
    const takenBack = await Wire.connect(rig.port, keep);
    await takenBack.subscribe('a/b');
    assert.equal(rig.broker.gauges().sessionsKept, 1);
    takenBack.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } } as never);
    without.end();
    await until('both gone', () => rig.broker.gauges().connections === 0);
    await until('and forgotten', () => rig.broker.gauges().sessionsKept === 0);
  },
);

withBroker(test, 'nodes read their own orders and no more; people everything but orders', async rig => {
  const node = await Wire.connect(rig.port, { clientId: 'hearth-n1' });
  const person = await Wire.connect(rig.port, { clientId: 'somebody' });
  assert.deepEqual(
    await node.subscribe([
      'hearth/node/n1/want',
      'hearth/node/n1/cmd',
      'hearth/node/n2/want',
      'hearth/node/n2/load',
      'hearth/hello',
      'zigbee2mqtt/x',
      '#',
    ]),
    [0, 0, 0x80, 0x80, 0, 0x80, 0],
  );
  assert.deepEqual(
    await person.subscribe(['hearth/node/n1/cmd', 'hearth/node/n1/work', 'hearth/node/n1/want', '#']),
    [0x80, 0x80, 0, 0],
  );
  const topics = [
    'node/n1/want',
    'node/n1/cmd',
    'node/n1/work',
    'node/n2/want',
    'node/n2/cmd',
    'hello',
    'status',
    'node/n1/own',
  ];
  for (const topic of topics) await rig.publish(`hearth/${topic}`, 'x', { retain: !/cmd|work|hello/.test(topic) });
  const short = async (wire: Wire) => (await wire.heard()).map(({ topic }) => topic?.slice(7));
  assert.deepEqual(await short(node), ['node/n1/want', 'node/n1/cmd', 'node/n1/work', 'hello']);
  assert.deepEqual(await short(person), ['node/n1/want', 'node/n2/want', 'hello', 'status', 'node/n1/own']);
  // Retained copies go the same way.
  const late = await Wire.connect(rig.port, { clientId: 'hearth-n2' });
  await late.subscribe('hearth/#');
  assert.deepEqual(await short(late), ['node/n2/want']);
});

test.run();
