/** What is published arrives: both ways, in order, whatever the payload. */
import assert from 'node:assert/strict';
import { textOf } from './listener.ts';
import type { Register } from './rig.ts';

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const large = Buffer.alloc(256 * 1024 - 1024, 'large ');

export function deliveryCases(test: Register): void {
  for (const version of [4, 5] as const) {
    test(`a client of MQTT ${version === 5 ? '5' : '3.1.1'} hears and is heard, QoS 0 and 1`, async rig => {
      const listener = await rig.listener.start('hearth/node/+/set/#');
      const peer = await rig.peer({ version });
      await peer.subscribe('hearth/node/+/result');
      for (const qos of [0, 1] as const) {
        await peer.publish(`hearth/node/n1/set/q${qos}`, `to ${qos}`, { qos });
        const heard = await listener.heard(`hearth/node/n1/set/q${qos}`);
        assert.equal(textOf(heard), `to ${qos}`);
        assert.equal(heard.qos, qos);
        assert.equal(heard.retain, false);
        await listener.publish('hearth/node/n1/result', `from ${qos}`, { qos });
        const back = await peer.message('hearth/node/n1/result', `from ${qos}`);
        assert.equal(back.qos, qos);
        assert.equal(back.retain, false);
      }
    });
  }

  test('clients of 3.1.1 and 5 talk to each other on one port at the same time', async rig => {
    await rig.listener.start('hearth/node/+/set/#');
    const [old, fresh] = [await rig.peer({ version: 4 }), await rig.peer({ version: 5 })];
    await old.subscribe('hearth/room/r1/in/#');
    await fresh.subscribe('hearth/room/r1/in/#');
    await old.publish('hearth/room/r1/in/temp_c', '20.5');
    await fresh.publish('hearth/room/r1/in/outdoor_c', '-3', { properties: { contentType: 'text/plain' } });
    for (const peer of [old, fresh]) {
      assert.equal(`${(await peer.message('hearth/room/r1/in/temp_c')).payload}`, '20.5');
      assert.equal(`${(await peer.message('hearth/room/r1/in/outdoor_c')).payload}`, '-3');
    }
  });

  for (const qos of [0, 1] as const) {
    test(`every publisher's messages arrive in its order, QoS ${qos}`, async rig => {
      const each = 1000;
      const listener = await rig.listener.start('hearth/room/+/in/#');
      const peers = [await rig.peer({ version: 4 }), await rig.peer({ version: 5 })];
      await Promise.all(
        peers.flatMap((peer, p) =>
          Array.from({ length: each }, (_, i) => peer.publish(`hearth/room/r${p}/in/temp_c`, `${i}`, { qos })),
        ),
      );
      await listener.count(2 * each);
      for (const p of [0, 1]) {
        const numbers = listener.messages.filter(({ topic }) => topic.includes(`/r${p}/`)).map(textOf);
        assert.deepEqual(
          numbers,
          Array.from({ length: each }, (_, i) => `${i}`),
        );
      }
    });

    test(`the supervisor's messages arrive in their order, QoS ${qos}`, async rig => {
      const listener = await rig.listener.start('hearth/node/+/set/#');
      const peer = await rig.peer();
      await peer.subscribe('hearth/node/n1/result');
      const sent = Array.from({ length: 1000 }, (_, i) => `${i}`);
      await Promise.all(sent.map(text => listener.publish('hearth/node/n1/result', text, { qos })));
      await peer.count(sent.length);
      assert.deepEqual(peer.payloads('hearth/node/n1/result'), sent);
    });
  }

  test('acknowledged messages of mixed retain and QoS in one burst all arrive', async rig => {
    const listener = await rig.listener.start('hearth/node/+/set/#');
    const peer = await rig.peer();
    await peer.subscribe('hearth/node/n1/#');
    const topics = Array.from({ length: 300 }, (_, i) => (i % 2 ? 'hearth/node/n1/result' : 'hearth/node/n1/own'));
    // Retained beside plain in one turn: the order in which Aedes numbers and delivers them differs.
    await Promise.all(topics.map((topic, i) => listener.publish(topic, `${i}`, { qos: 1, retain: i % 2 === 0 })));
    await peer.count(topics.length);
    assert.deepEqual(
      new Set(peer.heard.map(({ payload }) => `${payload}`)),
      new Set(Array.from({ length: 300 }, (_, i) => `${i}`)),
    );
  });

  test('wildcards match as MQTT says, and nothing else arrives', async rig => {
    const listener = await rig.listener.start('hearth/node/+/set/#', 'hearth/room/r1/in/+');
    const peer = await rig.peer();
    const matching = [
      'hearth/node/n1/set',
      'hearth/node/n1/set/a',
      'hearth/node/n2/set/a/b',
      'hearth/room/r1/in/temp_c',
    ];
    const other = ['hearth/node/n1/do/restart', 'hearth/room/r2/in/temp_c', 'hearth/role/r/set/a', 'elsewhere/set'];
    for (const topic of [...other, ...matching]) await peer.publish(topic, 'x');
    await listener.heard('hearth/room/r1/in/temp_c');
    assert.deepEqual(listener.messages.map(({ topic }) => topic).sort(), [...matching].sort());
  });

  test('an empty payload, every byte and 255 kB arrive unchanged, both ways', async rig => {
    const listener = await rig.listener.start('hearth/node/+/set/#');
    const peer = await rig.peer();
    await peer.subscribe('hearth/node/n1/result');
    const payloads = { empty: Buffer.alloc(0), bytes: everyByte, large };
    for (const [name, payload] of Object.entries(payloads)) {
      await peer.publish(`hearth/node/n1/set/${name}`, payload);
      const heard = await listener.heard(`hearth/node/n1/set/${name}`);
      assert.ok(payload.equals(heard.payload), `${name} to the supervisor`);
      const before = peer.heard.length;
      await listener.publish('hearth/node/n1/result', payload);
      await peer.count(before + 1);
      assert.ok(payload.equals(peer.heard[before]?.payload as Buffer), `${name} from the supervisor`);
    }
  });

  test('done comes after the broker has the message: who subscribes later does not get it', async rig => {
    const listener = await rig.listener.start('hearth/node/+/set/#');
    const early = await rig.peer();
    await early.subscribe('hearth/event');
    await listener.publish('hearth/event', 'one');
    const late = await rig.peer();
    await late.subscribe('hearth/event');
    await listener.publish('hearth/event', 'two');
    await late.message('hearth/event', 'two');
    assert.deepEqual(late.payloads('hearth/event'), ['two']);
    await early.message('hearth/event', 'two');
    assert.deepEqual(early.payloads('hearth/event'), ['one', 'two']);
  });
}
