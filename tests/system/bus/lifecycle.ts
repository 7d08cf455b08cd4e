/** Up, stop, and what a stopped bus still does: nothing. */
import assert from 'node:assert/strict';
import type { Register } from './rig.ts';

export function lifecycleCases(test: Register): void {
  test('up comes once at the start, with the subscriptions in place', async rig => {
    const listener = await rig.listener.start('hearth/node/+/set/#');
    const peer = await rig.peer();
    await peer.publish('hearth/node/n1/set/a', 'x', { qos: 0 });
    await listener.heard('hearth/node/n1/set/a');
    assert.deepEqual(listener.eventsOf('up').length, 1);
    assert.deepEqual(listener.eventsOf('down'), []);
  });

  test('what was published before stop is with the broker, and after stop nothing is heard or sent', async rig => {
    const listener = await rig.listener.start('hearth/node/+/set/#');
    const peer = await rig.peer();
    await peer.subscribe('hearth/status');
    listener.bus.publish('hearth/status', 'offline', { qos: 1, retain: true });
    await listener.stop();
    await peer.message('hearth/status', 'offline');
    await assert.rejects(listener.publish('hearth/status', 'online'), /stopped/);
    await peer.subscribe('hearth/node/n1/set/a');
    await peer.publish('hearth/node/n1/set/a', 'x');
    await peer.message('hearth/node/n1/set/a');
    assert.deepEqual(listener.messages, []);
    assert.deepEqual(peer.payloads('hearth/status'), ['offline']);
  });
}
