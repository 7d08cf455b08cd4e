/** What a person deleted stays away, and what is gone leaves nothing: no ghosts, nothing that comes back. In virtual time. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { boardTimes } from '../../broker/homeassistant/board-events.ts';
import type { MemoryDisk } from '../../broker/store/memory.ts';
import { announced, announcedRig, settled, topicsOf } from '../fixture/home-assistant-announced.ts';
import { FakeBroker, haRig, hubTopic, nodeTopic, roomTopic } from '../fixture/home-assistant-rig.ts';
import { haNode, haView } from '../fixture/home-assistant-view.ts';

const test = suite('home assistant announcer, what is gone');

const hour = 3_600_000;

for (const echoes of [true, false]) {
  test(`a device that a person deleted stays away: at births, changes, restarts (echoes: ${echoes})`, () => {
    const disk: MemoryDisk = new Map();
    const { rig, broker } = announcedRig(new FakeBroker('uplink', echoes), disk);
    // Home Assistant clears the topic once for each of its entities.
    for (let entity = 0; entity < 3; entity++) broker.publish(nodeTopic('n1'), '');
    rig.clock.advance(settled);
    broker.birth();
    rig.clock.advance(settled);
    assert.deepEqual(topicsOf(broker.take()), [hubTopic, roomTopic('study')]);
    rig.view = haView({ nodes: [haNode('n1', { room: 'elsewhere' })] });
    rig.ha.changed();
    rig.clock.advance(settled);
    assert.deepEqual(broker.take(), []);
    assert.ok(disk.has(`ha/removed/uplink/${nodeTopic('n1')}`));
    rig.ha.stop();
    broker.disconnect();
    const next = haRig({ disk, clock: rig.clock });
    broker.connect(next.ha, next.clock);
    next.clock.advance(settled * 3);
    broker.birth();
    next.clock.advance(settled);
    assert.deepEqual(topicsOf(broker.take()), [hubTopic, roomTopic('study')]);
    // Asked for, it is back, and stays.
    next.ha.rediscover();
    next.clock.advance(settled);
    assert.deepEqual(topicsOf(broker.take()), announced);
    assert.ok(!disk.has(`ha/removed/uplink/${nodeTopic('n1')}`));
    broker.birth();
    next.clock.advance(settled);
    assert.deepEqual(topicsOf(broker.take()), announced);
  });
}

test('a device deleted while its update was under way does not come back by that', () => {
  const { rig, broker } = announcedRig();
  broker.slow = true;
  rig.view = haView({ nodes: [haNode('n1', { room: 'elsewhere' })] });
  rig.ha.changed();
  rig.clock.advance(6000);
  assert.deepEqual(topicsOf(broker.take()), [nodeTopic('n1')]);
  broker.publish(nodeTopic('n1'), '');
  broker.settle();
  assert.ok(broker.retained.has(nodeTopic('n1')));
  broker.slow = false;
  rig.clock.advance(settled * 2);
  assert.deepEqual(
    broker.sent.map(({ topic, text }) => [topic, text]),
    [[nodeTopic('n1'), '']],
  );
  assert.ok(!broker.retained.has(nodeTopic('n1')));
});

test('what was deleted is announced once its node was forgotten and made anew', () => {
  const { rig, broker } = announcedRig();
  broker.publish(nodeTopic('n1'), '');
  rig.view = haView({ nodes: [] });
  rig.ha.changed();
  rig.clock.advance(settled);
  rig.view = haView();
  rig.ha.changed();
  rig.clock.advance(settled);
  assert.deepEqual(topicsOf(broker.sent), [nodeTopic('n1')]);
  // The same, between two looks.
  broker.take();
  broker.publish(nodeTopic('n1'), '');
  rig.ha.forgotten('node', 'n1');
  rig.clock.advance(settled);
  assert.deepEqual(topicsOf(broker.sent), [nodeTopic('n1')]);
});

test('a node or room that goes leaves nothing, and one that comes after it is no deletion', () => {
  for (const echoes of [true, false]) {
    const { rig, broker } = announcedRig(new FakeBroker('own', echoes));
    rig.view = haView({ nodes: [], rooms: [] });
    rig.ha.changed();
    rig.clock.advance(5500);
    const cleared = broker.take();
    assert.deepEqual(
      cleared.map(({ topic, text }) => [topic, text]),
      [
        [roomTopic('study'), ''],
        [nodeTopic('n1'), ''],
      ],
    );
    assert.deepEqual([...broker.retained.keys()], [hubTopic]);
    // Home Assistant clears it once more for each entity that was disabled.
    broker.publish(nodeTopic('n1'), '');
    rig.view = haView();
    rig.ha.changed();
    rig.clock.advance(settled);
    const back = broker.take();
    assert.deepEqual(topicsOf(back), [roomTopic('study'), nodeTopic('n1')]);
    assert.ok(back.every(({ at }) => at - (cleared[0]?.at ?? 0) >= boardTimes.clearedMs));
    broker.birth();
    rig.clock.advance(settled);
    assert.deepEqual(topicsOf(broker.take()), announced);
  }
});

test('what went while the supervisor was down is cleared, not before the fleet had time to show itself', () => {
  const disk: MemoryDisk = new Map();
  const { rig, broker } = announcedRig(new FakeBroker('uplink'), disk);
  rig.ha.stop();
  broker.disconnect();
  const next = haRig({ disk, clock: rig.clock, view: haView({ nodes: [] }) });
  broker.connect(next.ha, next.clock);
  next.clock.advance(boardTimes.graceMs - 1000);
  assert.deepEqual(broker.sent, []);
  next.clock.advance(settled);
  assert.deepEqual(
    broker.take().map(({ topic, text }) => [topic, text]),
    [[nodeTopic('n1'), '']],
  );
});

test('a node that has not said yet what it is keeps what was announced of it', () => {
  const disk: MemoryDisk = new Map();
  const { rig, broker } = announcedRig(new FakeBroker('uplink'), disk);
  rig.ha.stop();
  broker.disconnect();
  const next = haRig({ disk, clock: rig.clock });
  next.view = haView({ nodes: [{ id: 'n1', has: new Set(), power: false, wakes: true }] });
  broker.connect(next.ha, next.clock);
  next.clock.advance(hour);
  assert.deepEqual(broker.sent, []);
  // What it had before stays, while its first loads have not come, and so does after how long they expire.
  const { loadEveryMs: _, ...unknown } = haNode('n1', { has: new Set(), power: false, wakes: true });
  next.view = haView({ nodes: [unknown] });
  next.ha.changed();
  next.clock.advance(settled);
  assert.deepEqual(broker.sent, []);
});

test('a component that goes is named once by its platform alone, and left out after that', () => {
  const { rig, broker } = announcedRig();
  const info = { cpu: 'Intel Core i5-2400', os: 'Debian 12', arch: 'x64', ver: '0.1.0', caps: 'root' };
  rig.view = haView({ nodes: [haNode('n1', { info, wakes: false })] });
  rig.ha.changed();
  rig.clock.advance(settled);
  assert.deepEqual(topicsOf(broker.sent), [nodeTopic('n1'), nodeTopic('n1')]);
  const [first, second] = broker.sent.map(({ text }) => JSON.parse(text).cmps);
  assert.deepEqual([first.reboot, first.wake], [{ p: 'button' }, { p: 'button' }]);
  assert.ok(first.identify.cmd_t && second.identify.cmd_t);
  assert.ok(!('reboot' in second) && !('wake' in second));
  assert.ok((broker.sent[1]?.at ?? 0) - (broker.sent[0]?.at ?? 0) >= boardTimes.debounceMs);
});

test('deleted while the broker was out of reach counts, where it surely lay there', () => {
  const { rig, broker } = announcedRig();
  rig.clock.advance(boardTimes.surelyKeptMs + hour);
  broker.disconnect();
  broker.publish(nodeTopic('n1'), '');
  rig.clock.advance(hour);
  broker.connect(rig.ha, rig.clock);
  rig.clock.advance(settled);
  broker.birth();
  rig.clock.advance(settled);
  assert.deepEqual(topicsOf(broker.take()), [hubTopic, roomTopic('study')]);
});

test('a broker that lost its memory, all of it or what was new, is told again', () => {
  const lostAll = announcedRig();
  lostAll.rig.clock.advance(boardTimes.surelyKeptMs + hour);
  lostAll.broker.disconnect();
  lostAll.broker.retained.clear();
  lostAll.broker.connect(lostAll.rig.ha, lostAll.rig.clock);
  lostAll.rig.clock.advance(settled);
  assert.deepEqual(topicsOf(lostAll.broker.take()), announced);
  const lostNew = announcedRig();
  lostNew.rig.clock.advance(hour);
  lostNew.broker.disconnect();
  lostNew.broker.retained.delete(nodeTopic('n1'));
  lostNew.broker.connect(lostNew.rig.ha, lostNew.rig.clock);
  lostNew.rig.clock.advance(settled);
  assert.deepEqual(topicsOf(lostNew.broker.take()), [nodeTopic('n1')]);
});

test('off clears what an earlier life announced, and so does another prefix', () => {
  for (const prefix of ['off', 'ha2']) {
    const disk: MemoryDisk = new Map();
    const { rig, broker } = announcedRig(new FakeBroker('uplink'), disk);
    rig.ha.stop();
    broker.disconnect();
    const next = haRig({ disk, clock: rig.clock, view: haView({ prefix }) });
    broker.connect(next.ha, next.clock);
    next.clock.advance(settled * 3);
    const left = [...broker.retained.keys()];
    assert.deepEqual(left, prefix === 'off' ? [] : announced.map(topic => topic.replace('homeassistant', 'ha2')));
    assert.deepEqual(next.ha.filters(), prefix === 'off' ? [] : ['ha2/status', 'ha2/device/+/config']);
    assert.ok(![...disk.keys()].some(key => key.includes('/homeassistant/')));
  }
});

test('a full disk takes nothing away: what was deleted stays away as long as this life lasts', () => {
  const { rig, broker } = announcedRig();
  rig.failWrites(new Error('no space left on device'));
  broker.publish(nodeTopic('n1'), '');
  broker.birth();
  rig.clock.advance(settled);
  assert.deepEqual(topicsOf(broker.take()), [hubTopic, roomTopic('study')]);
});

test.run();
