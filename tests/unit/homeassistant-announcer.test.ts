/** When what is announced where: births, debounce, restarts, two brokers, a fleet. In virtual time. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { boardTimes } from '../../broker/homeassistant/board-events.ts';
import type { MemoryDisk } from '../../broker/store/memory.ts';
import { announced, announcedRig, settled, topicsOf } from '../fixture/home-assistant-announced.ts';
import { FakeBroker, haRig, hubTopic, nodeTopic, roomTopic } from '../fixture/home-assistant-rig.ts';
import { haNode, haView } from '../fixture/home-assistant-view.ts';

const test = suite('home assistant announcer');

const hour = 3_600_000;

test('nothing is said while it learns what is there, then the hub first', () => {
  const rig = haRig();
  const broker = new FakeBroker('own');
  broker.connect(rig.ha, rig.clock);
  rig.clock.advance(boardTimes.learnMs - 1);
  assert.deepEqual(broker.sent, []);
  rig.clock.advance(2);
  assert.deepEqual(topicsOf(broker.sent), announced);
  assert.deepEqual([...broker.retained.keys()], announced);
});

test('what is there already, the very same, is not said again; not after a restart, not after a reconnect', () => {
  const disk: MemoryDisk = new Map();
  const { rig, broker } = announcedRig(new FakeBroker('uplink'), disk);
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
  assert.deepEqual(topicsOf(broker.sent), announced);
});

test('changes of one device leave 5 s apart, however fast they come, and the last one counts', () => {
  const { rig, broker } = announcedRig();
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
  const { rig, broker } = announcedRig();
  const at = rig.clock.now();
  broker.birth();
  rig.clock.advance(settled);
  assert.deepEqual(topicsOf(broker.sent), announced);
  for (const one of broker.sent) {
    assert.ok(one.at - at >= boardTimes.birthMs && one.at - at <= 2 * boardTimes.birthMs + 1000);
  }
});

test('a flood of births is answered twice a minute; farewells and other words not at all', () => {
  const { rig, broker } = announcedRig();
  for (let second = 0; second < 300; second++) {
    broker.birth();
    broker.publish('homeassistant/status', 'offline', false);
    broker.publish('homeassistant/status', 'ONLINE', false);
    broker.publish('homeassistant/status', '', false);
    rig.clock.advance(1000);
  }
  const hubs = broker.sent.filter(({ topic }) => topic === hubTopic);
  assert.ok(hubs.length >= 9 && hubs.length <= 11, String(hubs.length));
  const quiet = announcedRig();
  quiet.broker.publish('homeassistant/status', 'offline', false);
  quiet.broker.publish('homeassistant/status', 'x'.repeat(100_000), false);
  quiet.rig.clock.advance(settled);
  assert.deepEqual(quiet.broker.sent, []);
});

test('two brokers, each with a memory of its own', () => {
  const disk: MemoryDisk = new Map();
  const rig = haRig({ disk });
  const own = new FakeBroker('own', false);
  const uplink = new FakeBroker('uplink');
  own.connect(rig.ha, rig.clock);
  uplink.connect(rig.ha, rig.clock);
  rig.clock.advance(settled);
  assert.deepEqual([topicsOf(own.take()), topicsOf(uplink.take())], [announced, announced]);
  uplink.publish(roomTopic('study'), '');
  own.birth();
  rig.clock.advance(settled);
  assert.deepEqual([topicsOf(own.take()), topicsOf(uplink.take())], [announced, []]);
  uplink.disconnect();
  rig.view = haView({ nodes: [] });
  rig.ha.changed();
  rig.clock.advance(settled);
  assert.deepEqual(topicsOf(own.take()), [nodeTopic('n1')]);
  uplink.connect(rig.ha, rig.clock);
  rig.clock.advance(settled);
  assert.deepEqual(topicsOf(uplink.take()), [nodeTopic('n1')]);
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
  assert.deepEqual([topicsOf(own.take()), topicsOf(uplink.take())], [announced, announced.slice(0, 2)]);
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
  const { rig, broker } = announcedRig();
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
  const { rig, broker } = announcedRig();
  rig.leads = false;
  broker.birth();
  broker.publish(nodeTopic('ghost'), '{}');
  rig.clock.advance(settled * 5);
  assert.deepEqual(broker.sent, []);
  rig.ha.stop();
});

test('a birth that lies on the broker, or comes while it is learning, changes nothing', () => {
  const { rig, broker } = announcedRig();
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
  const { rig, broker } = announcedRig();
  rig.ha.stop();
  broker.birth();
  broker.publish(nodeTopic('n1'), '');
  rig.ha.changed();
  rig.clock.advance(hour);
  assert.deepEqual(broker.sent, []);
  assert.equal(rig.clock.pending, 0);
});

test('an announcer at rest has no timer', () => {
  const { rig } = announcedRig();
  rig.clock.advance(hour);
  assert.equal(rig.clock.pending, 0);
});

test.run();
