/** Filters beside those of the start: heard, replaced, once each, with their retained copies, over reconnects. */
import assert from 'node:assert/strict';
import { mostAlso } from '../../../shared/bus.ts';
import { startMosquitto } from '../../fixture/mosquitto.ts';
import { freePort } from '../../fixture/processes.ts';
import { Listener, textOf } from './listener.ts';
import { Peer } from './peer.ts';
import { outsideBus, type Register } from './rig.ts';
import { filter, type RegisterOutside, scene } from './scene.ts';
import { startStrictBroker } from './strict-broker.ts';

const fixed = 'hearth/node/+/set/#';

/** What the broker was told before is in force once it has taken this. */
const settled = (listener: Listener) => listener.publish('hearth/node/n1/result', 'settled');
const topics = (listener: Listener) => listener.messages.map(({ topic }) => topic);
const told = (listener: Listener) =>
  listener.messages.map(message => `${message.topic} ${textOf(message)}${message.retain ? ' retained' : ''}`);

export function alsoCases(test: Register): void {
  test('further topics are heard beside the first ones, replaced, and no more', async rig => {
    const listener = await rig.listener.start(fixed);
    const peer = await rig.peer();
    const round = async (end: string) => {
      await settled(listener);
      for (const topic of ['zigbee2mqtt/living', 'tele/plug/SENSOR', 'shellies/x/status'])
        await peer.publish(topic, 'x');
      await peer.publish(`hearth/node/n1/set/${end}`, 'x');
      await listener.heard(`hearth/node/n1/set/${end}`);
      return topics(listener).splice(0, Number.POSITIVE_INFINITY);
    };
    listener.bus.also(['zigbee2mqtt/living', 'tele/+/SENSOR']);
    const first = await round('first');
    assert.deepEqual(first, ['zigbee2mqtt/living', 'tele/plug/SENSOR', 'hearth/node/n1/set/first']);
    listener.bus.also(['tele/+/SENSOR', 'shellies/#']);
    const second = (await round('second')).slice(first.length);
    assert.deepEqual(second, ['tele/plug/SENSOR', 'shellies/x/status', 'hearth/node/n1/set/second']);
    listener.bus.also([]);
    const third = (await round('third')).slice(first.length + second.length);
    assert.deepEqual(third, ['hearth/node/n1/set/third']);
  });

  test('said before the start, they stand with the first ones', async rig => {
    rig.bus.also(['zigbee2mqtt/living']);
    const peer = await rig.peer();
    await peer.publish('zigbee2mqtt/living', 'kept', { retain: true });
    const listener = await rig.listener.start(fixed);
    await listener.heard('zigbee2mqtt/living', 'kept');
    await peer.publish('zigbee2mqtt/living', 'live');
    await listener.heard('zigbee2mqtt/living', 'live');
    assert.deepEqual(told(listener), ['zigbee2mqtt/living kept retained', 'zigbee2mqtt/living live']);
  });

  test('what matches several filters comes once', async rig => {
    const listener = await rig.listener.start(fixed);
    const peer = await rig.peer();
    listener.bus.also([
      fixed,
      'hearth/node/n1/set/a',
      'hearth/node/n1/set/#',
      'tele/#',
      'tele/x/SENSOR',
      'tele/x/SENSOR',
    ]);
    await settled(listener);
    for (const topic of ['hearth/node/n1/set/a', 'tele/x/SENSOR']) await peer.publish(topic, 'x');
    // The wide one goes, the narrow one that lay within it stays.
    listener.bus.also(['tele/x/SENSOR']);
    await settled(listener);
    for (const topic of ['tele/y/SENSOR', 'tele/x/SENSOR']) await peer.publish(topic, 'x');
    // What a filter of the start matches stays heard without the further one.
    listener.bus.also([]);
    await settled(listener);
    await peer.publish('hearth/node/n1/set/a', 'end');
    await listener.heard('hearth/node/n1/set/a', 'end');
    assert.deepEqual(told(listener), [
      'hearth/node/n1/set/a x',
      'tele/x/SENSOR x',
      'tele/x/SENSOR x',
      'hearth/node/n1/set/a end',
    ]);
  });

  test('what is new brings its retained copies, and what stands does not again', async rig => {
    const peer = await rig.peer();
    for (let index = 0; index < 60; index++) await peer.publish(`a/x${index}/t`, `${index}`, { retain: true });
    await peer.publish('b/t', 'kept', { retain: true });
    const listener = await rig.listener.start(fixed);
    listener.bus.also(['a/+/t']);
    await listener.count(60);
    assert.ok(listener.messages.every(({ retain }) => retain));
    listener.bus.also(['a/+/t', 'b/t']);
    await listener.heard('b/t');
    await settled(listener);
    await peer.publish('b/t', 'live', { retain: true });
    await listener.heard('b/t', 'live');
    assert.equal(listener.messages.length, 62);
    assert.deepEqual(told(listener).slice(60), [
      'b/t kept retained',
      listener.messages[61]?.retain ? 'b/t live retained' : 'b/t live',
    ]);
    // Gone and back: new again.
    listener.bus.also([]);
    listener.bus.also(['b/t']);
    await listener.count(63);
    assert.deepEqual(told(listener).slice(62), ['b/t live retained']);
  });

  test('foreign payloads arrive unchanged: none, every byte, 255 kB', async rig => {
    const listener = await rig.listener.start(fixed);
    const peer = await rig.peer();
    listener.bus.also(['zigbee2mqtt/+']);
    await settled(listener);
    const payloads = [
      Buffer.alloc(0),
      Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
      Buffer.alloc(255 * 1024, '{'),
    ];
    for (const [index, payload] of payloads.entries()) {
      await peer.publish(`zigbee2mqtt/${index}`, payload);
      assert.ok(payload.equals((await listener.heard(`zigbee2mqtt/${index}`)).payload));
    }
  });

  test('its own messages are not heard there either', async rig => {
    const listener = await rig.listener.start(fixed);
    const peer = await rig.peer();
    listener.bus.also(['homeassistant/+/+/config']);
    await settled(listener);
    await peer.publish('homeassistant/x/y/config', 'settled');
    await listener.heard('homeassistant/x/y/config');
    await listener.publish('homeassistant/device/x/config', '{}', { qos: 1, retain: true });
    await peer.publish('homeassistant/device/x/config', '');
    await listener.heard('homeassistant/device/x/config');
    assert.deepEqual(told(listener).slice(1), ['homeassistant/device/x/config ']);
  });

  test('what is no filter is passed over, and so is what is too many; the others are heard', async rig => {
    const listener = await rig.listener.start(fixed);
    const peer = await rig.peer();
    const wrong = ['', 'a\u0000b', 'a\u0001', '\ud800', 'a\uffff', 'a/#/b', 'a+/b', 'x'.repeat(600), '/'.repeat(300)];
    const many = Array.from({ length: mostAlso + 1 }, (_, index) => `many/${index}`);
    listener.bus.also([...wrong, ...many]);
    await settled(listener);
    for (const topic of [`many/${mostAlso}`, `many/${mostAlso - 1}`, 'many/0']) await peer.publish(topic, 'x');
    await listener.heard('many/0');
    assert.deepEqual(topics(listener), [`many/${mostAlso - 1}`, 'many/0']);
    assert.deepEqual(listener.eventsOf('down'), []);
  });
}

export function outsideAlsoCases(test: RegisterOutside): void {
  for (const five of [undefined, 'refused'] as const) {
    const name = five ? '3.1.1' : '5';
    test(`further topics outlive a broken connection, and what is said meanwhile counts, MQTT ${name}`, () =>
      scene({ ...(five && { five }) }, async ({ listener, proxy, peer }) => {
        await listener.start(filter);
        const other = await peer();
        listener.bus.also(['a/t', 'b/t']);
        await settled(listener);
        proxy.cut();
        await listener.event('down');
        listener.bus.also(['b/t', 'c/t']);
        await listener.event('up', 2);
        for (const topic of ['a/t', 'b/t', 'c/t']) await other.publish(topic, 'x');
        await listener.heard('c/t');
        assert.deepEqual(topics(listener), ['b/t', 'c/t']);
      }));

    test(`its own messages on further topics are nobody's, the same of others is heard, MQTT ${name}`, () =>
      scene({ ...(five && { five }) }, async ({ listener, peer }) => {
        await listener.start(filter);
        const other = await peer();
        listener.bus.also(['ha/config', 'ha/other']);
        await settled(listener);
        for (const topic of ['ha/config', 'ha/other']) await listener.publish(topic, '{}', { qos: 1, retain: true });
        await other.publish('ha/config', '{}');
        await listener.heard('ha/config');
        listener.bus.also([]);
        await settled(listener);
        listener.bus.also(['ha/other']);
        await listener.heard('ha/other');
        assert.deepEqual(told(listener), ['ha/config {}', 'ha/other {} retained']);
      }));
  }

  test('a broker that ends and comes back with nothing', async () => {
    const port = await freePort();
    let mosquitto = await startMosquitto([], port);
    const listener = await new Listener(outsideBus(mosquitto.url)).start(filter);
    try {
      listener.bus.also(['a/t']);
      await settled(listener);
      await mosquitto.process.stop('SIGKILL');
      await listener.event('down');
      mosquitto = await startMosquitto([], port);
      await listener.event('up', 2, 30_000);
      const other = await Peer.connect(port);
      await other.publish('a/t', 'x');
      await listener.heard('a/t');
      await other.end();
    } finally {
      await listener.stop();
      await mosquitto.process.stop();
    }
  });

  test('a refused topic is told in one sentence, once a connection, and nothing else suffers', async () => {
    const broker = await startStrictBroker(100);
    const listener = new Listener(outsideBus(broker.url));
    try {
      await listener.start(filter);
      listener.bus.also(['open/t', 'secret/t', 'open/u']);
      const { filter: which, reason } = await listener.event('unheard');
      assert.equal(which, 'secret/t');
      assert.match(reason, /^broker mqtt:\/\/127\.0\.0\.1:\d+: it refuses the subscription to secret\/t: allow it/);
      // The same again asks for nothing again.
      listener.bus.also(['open/t', 'secret/t', 'open/u', 'open/v']);
      await listener.publish('hearth/event', 'x');
      assert.deepEqual(broker.asked, [filter, 'open/t', 'secret/t', 'open/u', 'open/v']);
      assert.equal(listener.eventsOf('unheard').length, 1);
      assert.deepEqual(listener.eventsOf('down'), []);
    } finally {
      await listener.stop();
      broker.close();
    }
  });
}
