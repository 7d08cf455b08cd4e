/** Retained messages: set, replaced, cleared, replayed with the flag; and what each kind promises about commands. */
import assert from 'node:assert/strict';
import { textOf } from './listener.ts';
import type { Register, Rig } from './rig.ts';

/** What a new subscriber gets of `filter`, up to a retained marker and a live one after it. */
async function replay(rig: Rig, filter: string): Promise<string[]> {
  const peer = await rig.peer();
  await rig.listener.publish('hearth/room/marker/is', 'end', { qos: 1, retain: true });
  await peer.subscribe('hearth/room/marker/#');
  await peer.subscribe(filter);
  await peer.message('hearth/room/marker/is');
  await rig.listener.publish('hearth/room/marker/result', 'live', { qos: 1 });
  await peer.message('hearth/room/marker/result');
  return peer.heard
    .filter(({ topic }) => !topic.includes('/marker/'))
    .map(({ topic, payload, retain }) => `${topic} ${payload}${retain ? ' retained' : ''}`);
}

export function retainedCases(test: Register): void {
  test('a retained message is replayed with the flag, delivered live without it, replaced and cleared', async rig => {
    const listener = await rig.listener.start('hearth/node/+/set/#');
    const live = await rig.peer();
    await live.subscribe('hearth/node/n1/status');
    await listener.publish('hearth/node/n1/status', 'online', { qos: 1, retain: true });
    assert.equal((await live.message('hearth/node/n1/status', 'online')).retain, false);
    assert.deepEqual(await replay(rig, 'hearth/node/+/status'), ['hearth/node/n1/status online retained']);
    await listener.publish('hearth/node/n1/status', 'offline', { qos: 1, retain: true });
    await listener.publish('hearth/node/n2/status', 'online', { qos: 0, retain: true });
    assert.deepEqual((await replay(rig, 'hearth/node/+/status')).sort(), [
      'hearth/node/n1/status offline retained',
      'hearth/node/n2/status online retained',
    ]);
    await listener.publish('hearth/node/n1/status', '', { qos: 1, retain: true });
    assert.deepEqual(await replay(rig, 'hearth/node/+/status'), ['hearth/node/n2/status online retained']);
    assert.deepEqual(await replay(rig, 'hearth/node/n1/status'), []);
    // The clear itself reaches live subscribers as an empty message.
    assert.equal((await live.message('hearth/node/n1/status', '')).retain, false);
  });

  test('what was retained before the bus starts is heard after `up`, as a retained copy, and as it is', async rig => {
    const peer = await rig.peer();
    for (let index = 0; index < 120; index++) {
      await peer.publish(`homeassistant/sensor/x${index}/config`, `${index}`, { retain: true });
    }
    await peer.publish('homeassistant/sensor/x7/config', 'changed', { retain: true });
    await peer.publish('homeassistant/sensor/x8/config', '', { retain: true });
    await peer.publish('zigbee/x', 'nobody asked', { retain: true });
    const listener = await rig.listener.start('homeassistant/sensor/+/config');
    await listener.count(119);
    await peer.publish('homeassistant/sensor/end/config', 'live');
    await listener.heard('homeassistant/sensor/end/config');
    assert.equal(listener.messages.length, 120);
    const copies = listener.messages.filter(({ retain }) => retain);
    const texts = copies.map(message => `${message.topic.split('/')[2]} ${textOf(message)}`).sort();
    const kept = Array.from({ length: 120 }, (_, index) => `x${index} ${index === 7 ? 'changed' : index}`);
    assert.deepEqual(texts, kept.filter(text => text !== 'x8 8').sort());
  });

  test('ordinary retained topics of other programs work beside the cluster', async rig => {
    await rig.listener.start('hearth/node/+/set/#');
    const peer = await rig.peer({ version: 5 });
    await peer.publish('homeassistant/sensor/x/config', '{"name":"x"}', { retain: true });
    assert.deepEqual(await replay(rig, 'homeassistant/#'), ['homeassistant/sensor/x/config {"name":"x"} retained']);
    await peer.publish('homeassistant/sensor/x/config', '', { retain: true });
    assert.deepEqual(await replay(rig, 'homeassistant/#'), []);
  });

  test('the supervisor does not hear its own messages, so removing a command is never taken for a clear', async rig => {
    const peer = await rig.peer();
    const listener = await rig.listener.start('hearth/node/+/set/#');
    await listener.publish('hearth/node/n1/set/a', '', { qos: 1, retain: true });
    await peer.publish('hearth/node/n1/set/b', 'x');
    await listener.heard('hearth/node/n1/set/b');
    assert.deepEqual(
      listener.messages.map(({ topic }) => topic),
      ['hearth/node/n1/set/b'],
    );
  });
}

export function embeddedRetainedCases(test: Register): void {
  test('a retained command is heard with the flag and kept nowhere', async rig => {
    const listener = await rig.listener.start('hearth/node/+/set/#', 'hearth/node/+/do/#', 'hearth/room/+/in/#');
    const peer = await rig.peer();
    for (const topic of ['hearth/node/n1/set/a', 'hearth/node/n1/do/restart', 'hearth/room/r1/in/temp_c']) {
      await peer.publish(topic, 'x', { retain: true });
      assert.equal((await listener.heard(topic)).retain, true);
      assert.deepEqual(await replay(rig, topic), []);
    }
  });
}

export function outsideRetainedCases(test: Register): void {
  test('a retained command from before is delivered with the flag, a live one without', async rig => {
    const peer = await rig.peer();
    await peer.publish('hearth/node/n1/set/a', 'old', { retain: true });
    const listener = await rig.listener.start('hearth/node/+/set/#');
    const old = await listener.heard('hearth/node/n1/set/a');
    assert.equal(old.retain, true);
    assert.equal(textOf(old), 'old');
    await peer.publish('hearth/node/n1/set/a', 'new', { retain: true });
    assert.equal((await listener.heard('hearth/node/n1/set/a', 'new')).retain, false);
  });
}
