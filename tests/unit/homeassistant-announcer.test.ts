/** When what is announced where: births, deletions, debounce, restarts, ghosts, two brokers. In virtual time. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { boardTimes } from '../../broker/homeassistant/board-events.ts';
import type { MemoryDisk } from '../../broker/store/memory.ts';
import {
  FakeBroker,
  haRig,
  hubTopic,
  nodeTopic,
  type Rig,
  roomTopic,
  type Sent,
} from '../fixture/home-assistant-rig.ts';
import { haNode, haView } from '../fixture/home-assistant-view.ts';

const test = suite('home assistant announcer');

const all = [hubTopic, roomTopic('study'), nodeTopic('n1')];
const topics = (sent: readonly Sent[]): string[] => sent.map(({ topic }) => topic);
const settled = 60_000;
const hour = 3_600_000;

/** A rig whose broker has everything. */
function standing(broker = new FakeBroker('uplink'), disk: MemoryDisk = new Map()): { rig: Rig; broker: FakeBroker } {
  const rig = haRig({ disk });
  broker.connect(rig.ha, rig.clock);
  rig.clock.advance(settled);
  assert.deepEqual(topics(broker.take()), all);
  return { rig, broker };
}

test('nothing is said while it learns what is there, then the hub first', () => {
  const rig = haRig();
  const broker = new FakeBroker('own');
  broker.connect(rig.ha, rig.clock);
  rig.clock.advance(boardTimes.learnMs - 1);
  assert.deepEqual(broker.sent, []);
  rig.clock.advance(2);
  assert.deepEqual(topics(broker.sent), all);
  assert.deepEqual([...broker.retained.keys()], all);
});

test('what is there already, the very same, is not said again; not after a restart, not after a reconnect', () => {
  const disk: MemoryDisk = new Map();
  const { rig, broker } = standing(new FakeBroker('uplink'), disk);
  broker.disconnect();
  broker.connect(rig.ha, rig.clock);
  rig.clock.advance(settled);
  rig.ha.stop();
  broker.disconnect();
  const next = haRig({ disk, clock: rig.clock });
  broker.connect(next.ha, next.clock);
  next.clock.advance(settled * 10);
  next.ha.changed();
  next.clock.advance(settled);
  assert.deepEqual(broker.sent, []);
});

test('nothing is said by who may not speak', () => {
  const rig = haRig();
  rig.leads = false;
  const broker = new FakeBroker('uplink');
  broker.retained.set(nodeTopic('old'), '{}');
  broker.connect(rig.ha, rig.clock);
  rig.clock.advance(settled * 10);
  assert.deepEqual(broker.sent, []);
  rig.leads = true;
  rig.clock.advance(settled);
  assert.deepEqual(topics(broker.sent), all);
});

test('changes of one device leave 5 s apart, however fast they come, and the last one counts', () => {
  const { rig, broker } = standing();
  for (let step = 0; step < 200; step++) {
    rig.view = haView({ rooms: [{ id: 'study', name: `Study ${step}`, outdoor: true }] });
    rig.ha.changed();
    rig.clock.advance(100);
  }
  rig.clock.advance(settled);
  const sent = broker.sent.filter(({ topic }) => topic === roomTopic('study'));
  assert.ok(sent.length >= 2 && sent.length <= 5, String(sent.length));
  for (const [index, { at }] of sent.entries()) {
    if (index > 0) assert.ok(at - (sent[index - 1]?.at ?? 0) >= boardTimes.debounceMs);
  }
  assert.match(broker.retained.get(roomTopic('study')) ?? '', /Study 199/);
});

test('after Home Assistant’s birth everything is said again, after a while', () => {
  const { rig, broker } = standing();
  const at = rig.clock.now();
  broker.birth();
  rig.clock.advance(settled);
  assert.deepEqual(topics(broker.sent), all);
  for (const one of broker.sent) {
    assert.ok(one.at - at >= boardTimes.birthMs && one.at - at <= 2 * boardTimes.birthMs + 1000);
  }
});

test('a flood of births is answered twice a minute; farewells and other words not at all', () => {
  const { rig, broker } = standing();
  for (let second = 0; second < 300; second++) {
    broker.birth();
    broker.publish('homeassistant/status', 'offline', false);
    broker.publish('homeassistant/status', 'ONLINE', false);
    broker.publish('homeassistant/status', '', false);
    rig.clock.advance(1000);
  }
  const hubs = broker.sent.filter(({ topic }) => topic === hubTopic);
  assert.ok(hubs.length >= 9 && hubs.length <= 11, String(hubs.length));
  const quiet = standing();
  quiet.broker.publish('homeassistant/status', 'offline', false);
  quiet.broker.publish('homeassistant/status', 'x'.repeat(100_000), false);
  quiet.rig.clock.advance(settled);
  assert.deepEqual(quiet.broker.sent, []);
});

for (const echoes of [true, false]) {
  test(`a device that a person deleted stays away: at births, changes, restarts (echoes: ${echoes})`, () => {
    const disk: MemoryDisk = new Map();
    const { rig, broker } = standing(new FakeBroker('uplink', echoes), disk);
    // Home Assistant clears the topic once for each of its entities.
    for (let entity = 0; entity < 3; entity++) broker.publish(nodeTopic('n1'), '');
    rig.clock.advance(settled);
    broker.birth();
    rig.clock.advance(settled);
    assert.deepEqual(topics(broker.take()), [hubTopic, roomTopic('study')]);
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
    assert.deepEqual(topics(broker.take()), [hubTopic, roomTopic('study')]);
    // Asked for, it is back, and stays.
    next.ha.rediscover();
    next.clock.advance(settled);
    assert.deepEqual(topics(broker.take()), all);
    assert.ok(!disk.has(`ha/removed/uplink/${nodeTopic('n1')}`));
    broker.birth();
    next.clock.advance(settled);
    assert.deepEqual(topics(broker.take()), all);
  });
}

test('a device deleted while its update was under way does not come back by that', () => {
  const { rig, broker } = standing();
  broker.slow = true;
  rig.view = haView({ nodes: [haNode('n1', { room: 'elsewhere' })] });
  rig.ha.changed();
  rig.clock.advance(6000);
  assert.deepEqual(topics(broker.take()), [nodeTopic('n1')]);
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
  const { rig, broker } = standing();
  broker.publish(nodeTopic('n1'), '');
  rig.view = haView({ nodes: [] });
  rig.ha.changed();
  rig.clock.advance(settled);
  rig.view = haView();
  rig.ha.changed();
  rig.clock.advance(settled);
  assert.deepEqual(topics(broker.sent), [nodeTopic('n1')]);
  // The same, between two looks.
  broker.take();
  broker.publish(nodeTopic('n1'), '');
  rig.ha.forgotten('node', 'n1');
  rig.clock.advance(settled);
  assert.deepEqual(topics(broker.sent), [nodeTopic('n1')]);
});

test('a node or room that goes leaves nothing, and one that comes after it is no deletion', () => {
  for (const echoes of [true, false]) {
    const { rig, broker } = standing(new FakeBroker('own', echoes));
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
    assert.deepEqual(topics(back), [roomTopic('study'), nodeTopic('n1')]);
    assert.ok(back.every(({ at }) => at - (cleared[0]?.at ?? 0) >= boardTimes.clearedMs));
    broker.birth();
    rig.clock.advance(settled);
    assert.deepEqual(topics(broker.take()), all);
  }
});

test('what went while the supervisor was down is cleared, not before the fleet had time to show itself', () => {
  const disk: MemoryDisk = new Map();
  const { rig, broker } = standing(new FakeBroker('uplink'), disk);
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
  const { rig, broker } = standing(new FakeBroker('uplink'), disk);
  rig.ha.stop();
  broker.disconnect();
  const next = haRig({ disk, clock: rig.clock });
  next.view = haView({ nodes: [{ id: 'n1', has: new Set(), power: false }] });
  broker.connect(next.ha, next.clock);
  next.clock.advance(hour);
  assert.deepEqual(broker.sent, []);
  // What it had before stays, while its first loads have not come, and so does after how long they expire.
  const { loadEveryMs: _, ...unknown } = haNode('n1', { has: new Set(), power: false });
  next.view = haView({ nodes: [unknown] });
  next.ha.changed();
  next.clock.advance(settled);
  assert.deepEqual(broker.sent, []);
});

test('a component that goes is named once by its platform alone, and left out after that', () => {
  const { rig, broker } = standing();
  const info = { cpu: 'Intel Core i5-2400', os: 'Debian 12', arch: 'x64', ver: '0.1.0', caps: 'root' };
  rig.view = haView({ nodes: [haNode('n1', { info })] });
  rig.ha.changed();
  rig.clock.advance(settled);
  assert.deepEqual(topics(broker.sent), [nodeTopic('n1'), nodeTopic('n1')]);
  const [first, second] = broker.sent.map(({ text }) => JSON.parse(text).cmps);
  assert.deepEqual([first.reboot, first.wake], [{ p: 'button' }, { p: 'button' }]);
  assert.ok(first.identify.cmd_t && second.identify.cmd_t);
  assert.ok(!('reboot' in second) && !('wake' in second));
  assert.ok((broker.sent[1]?.at ?? 0) - (broker.sent[0]?.at ?? 0) >= boardTimes.debounceMs);
});

test('two brokers, each with a memory of its own', () => {
  const disk: MemoryDisk = new Map();
  const rig = haRig({ disk });
  const own = new FakeBroker('own', false);
  const uplink = new FakeBroker('uplink');
  own.connect(rig.ha, rig.clock);
  uplink.connect(rig.ha, rig.clock);
  rig.clock.advance(settled);
  assert.deepEqual([topics(own.take()), topics(uplink.take())], [all, all]);
  uplink.publish(roomTopic('study'), '');
  own.birth();
  rig.clock.advance(settled);
  assert.deepEqual([topics(own.take()), topics(uplink.take())], [all, []]);
  uplink.disconnect();
  rig.view = haView({ nodes: [] });
  rig.ha.changed();
  rig.clock.advance(settled);
  assert.deepEqual(topics(own.take()), [nodeTopic('n1')]);
  uplink.connect(rig.ha, rig.clock);
  rig.clock.advance(settled);
  assert.deepEqual(topics(uplink.take()), [nodeTopic('n1')]);
  assert.deepEqual([...uplink.retained.keys()], [hubTopic]);
  assert.deepEqual([...own.retained.keys()], [hubTopic, roomTopic('study')]);
});

test('an outlet that carries no nodes gets none', () => {
  const rig = haRig({ carries: (outlet, topic) => outlet === 'own' || !topic.includes('/node/') });
  const own = new FakeBroker('own');
  const uplink = new FakeBroker('uplink');
  own.connect(rig.ha, rig.clock);
  uplink.connect(rig.ha, rig.clock);
  rig.clock.advance(settled);
  assert.deepEqual([topics(own.take()), topics(uplink.take())], [all, all.slice(0, 2)]);
});

test('deleted while the broker was out of reach counts, where it surely lay there', () => {
  const { rig, broker } = standing();
  rig.clock.advance(boardTimes.surelyKeptMs + hour);
  broker.disconnect();
  broker.publish(nodeTopic('n1'), '');
  rig.clock.advance(hour);
  broker.connect(rig.ha, rig.clock);
  rig.clock.advance(settled);
  broker.birth();
  rig.clock.advance(settled);
  assert.deepEqual(topics(broker.take()), [hubTopic, roomTopic('study')]);
});

test('a broker that lost its memory, all of it or what was new, is told again', () => {
  const lostAll = standing();
  lostAll.rig.clock.advance(boardTimes.surelyKeptMs + hour);
  lostAll.broker.disconnect();
  lostAll.broker.retained.clear();
  lostAll.broker.connect(lostAll.rig.ha, lostAll.rig.clock);
  lostAll.rig.clock.advance(settled);
  assert.deepEqual(topics(lostAll.broker.take()), all);
  const lostNew = standing();
  lostNew.rig.clock.advance(hour);
  lostNew.broker.disconnect();
  lostNew.broker.retained.delete(nodeTopic('n1'));
  lostNew.broker.connect(lostNew.rig.ha, lostNew.rig.clock);
  lostNew.rig.clock.advance(settled);
  assert.deepEqual(topics(lostNew.broker.take()), [nodeTopic('n1')]);
});

test('off clears what an earlier life announced, and so does another prefix', () => {
  for (const prefix of ['off', 'ha2']) {
    const disk: MemoryDisk = new Map();
    const { rig, broker } = standing(new FakeBroker('uplink'), disk);
    rig.ha.stop();
    broker.disconnect();
    const next = haRig({ disk, clock: rig.clock, view: haView({ prefix }) });
    broker.connect(next.ha, next.clock);
    next.clock.advance(settled * 3);
    const left = [...broker.retained.keys()];
    assert.deepEqual(left, prefix === 'off' ? [] : all.map(topic => topic.replace('homeassistant', 'ha2')));
    assert.deepEqual(next.ha.filters(), prefix === 'off' ? [] : ['ha2/status', 'ha2/device/+/config']);
    assert.ok(![...disk.keys()].some(key => key.includes('/homeassistant/')));
  }
});

test('a fleet is announced in small portions', () => {
  const nodes = Array.from({ length: 400 }, (_, index) => haNode(`n${index}`));
  const rig = haRig({ view: haView({ nodes }) });
  const broker = new FakeBroker('uplink');
  broker.connect(rig.ha, rig.clock);
  rig.clock.advance(settled);
  assert.equal(broker.retained.size, 402);
  const portions = new Map<number, number>();
  for (const { at } of broker.sent) portions.set(at, (portions.get(at) ?? 0) + 1);
  assert.ok([...portions.values()].every(count => count <= boardTimes.atOnce));
});

test('what changes while a fleet’s announcements are made is not missed', () => {
  const nodes = Array.from({ length: 400 }, (_, index) => haNode(`n${index}`));
  const rig = haRig({ view: haView({ nodes }) });
  const broker = new FakeBroker('uplink');
  broker.connect(rig.ha, rig.clock);
  const later = () => {
    rig.view = haView({ nodes: nodes.slice(0, 399), rooms: [] });
    rig.ha.changed();
  };
  // The first look is under way, in pieces that follow each other without a pause.
  rig.clock.after(1000, () => rig.clock.after(0, () => rig.clock.after(0, later)));
  rig.clock.advance(settled);
  assert.equal(broker.retained.size, 400);
  assert.ok(!broker.retained.has(roomTopic('study')) && !broker.retained.has(nodeTopic('n399')));
});

test('an older one of our own that comes back late is not taken for a stranger’s', () => {
  const { rig, broker } = standing();
  broker.slow = true;
  for (const room of ['a', 'b']) {
    rig.view = haView({ nodes: [haNode('n1', { room })] });
    rig.ha.changed();
    rig.clock.advance(10_000);
  }
  assert.equal(broker.take().length, 2);
  broker.settle(1);
  rig.clock.advance(settled * 5);
  broker.settle(1);
  broker.slow = false;
  rig.clock.advance(settled * 5);
  assert.deepEqual(broker.sent, []);
  assert.match(broker.retained.get(nodeTopic('n1')) ?? '', /"sa":"b"/);
});

test('who may no longer speak says nothing more, whatever happens', () => {
  const { rig, broker } = standing();
  rig.leads = false;
  broker.birth();
  broker.publish(nodeTopic('ghost'), '{}');
  rig.clock.advance(settled * 5);
  assert.deepEqual(broker.sent, []);
  rig.ha.stop();
});

test('a birth that lies on the broker, or comes while it is learning, changes nothing', () => {
  const { rig, broker } = standing();
  broker.disconnect();
  broker.publish('homeassistant/status', 'online');
  broker.connect(rig.ha, rig.clock);
  rig.clock.advance(1000);
  broker.birth();
  rig.clock.advance(settled);
  assert.deepEqual(broker.sent, []);
});

test('the topic base is no discovery prefix: its status would be a birth', () => {
  const rig = haRig({ view: haView({ prefix: 'hearth' }) });
  const broker = new FakeBroker('uplink');
  broker.connect(rig.ha, rig.clock);
  rig.ha.take('uplink', 'hearth/status', Buffer.from('online'), false);
  rig.clock.advance(hour);
  assert.deepEqual([rig.ha.filters(), broker.sent], [[], []]);
});

test('nothing is done after the end', () => {
  const { rig, broker } = standing();
  rig.ha.stop();
  broker.birth();
  broker.publish(nodeTopic('n1'), '');
  rig.ha.changed();
  rig.clock.advance(hour);
  assert.deepEqual(broker.sent, []);
  assert.equal(rig.clock.pending, 0);
});

test('an announcer at rest has no timer', () => {
  const { rig } = standing();
  rig.clock.advance(hour);
  assert.equal(rig.clock.pending, 0);
});

test('a full disk takes nothing away: what was deleted stays away as long as this life lasts', () => {
  const { rig, broker } = standing();
  rig.failWrites(new Error('no space left on device'));
  broker.publish(nodeTopic('n1'), '');
  broker.birth();
  rig.clock.advance(settled);
  assert.deepEqual(topics(broker.take()), [hubTopic, roomTopic('study')]);
});

test.run();
