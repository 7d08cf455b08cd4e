/** Discovery topics on a broker that is not ours are written by anybody. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { boardTimes } from '../../broker/homeassistant/board-events.ts';
import { ownObject } from '../../broker/homeassistant/ids.ts';
import { componentsOf, withRemoved } from '../../broker/homeassistant/on-broker.ts';
import { FakeBroker, haRig, hubTopic, nodeTopic, roomTopic, topicOf } from '../fixture/home-assistant-rig.ts';
import { readDiscovery } from '../fixture/home-assistant-rules.ts';
import { haCluster, haNode, haView } from '../fixture/home-assistant-view.ts';

const test = suite('home assistant hostile');
const minute = 60_000;

function standing(view = haView()) {
  const rig = haRig({ view });
  const broker = new FakeBroker('uplink');
  broker.connect(rig.ha, rig.clock);
  rig.clock.advance(2 * minute);
  broker.take();
  return { rig, broker };
}

test('who writes over our announcement is corrected, once a minute and no more', () => {
  const { rig, broker } = standing();
  const good = broker.retained.get(nodeTopic('n1'));
  for (let second = 0; second < 600; second++) {
    broker.publish(nodeTopic('n1'), `{"o":{"name":"Mallory ${second}"}}`);
    rig.clock.advance(1000);
  }
  rig.clock.advance(2 * minute);
  assert.ok(broker.sent.length >= 9 && broker.sent.length <= 12, String(broker.sent.length));
  assert.ok(broker.sent.every(({ topic }) => topic === nodeTopic('n1')));
  assert.equal(broker.retained.get(nodeTopic('n1')), good);
});

test('announcements in our name of things that there are not are cleared, once a minute each', () => {
  const { rig, broker } = standing();
  for (let second = 0; second < 300; second++) {
    broker.publish(nodeTopic('ghost'), `{"cmps":{"a":{"p":"sensor","uniq_id":"${second}"}}}`);
    rig.clock.advance(1000);
  }
  rig.clock.advance(2 * minute);
  assert.ok(broker.sent.length >= 4 && broker.sent.length <= 7, String(broker.sent.length));
  assert.ok(broker.sent.every(({ topic, text }) => topic === nodeTopic('ghost') && text === ''));
  assert.ok(!broker.retained.has(nodeTopic('ghost')));
});

test('what is not ours is left alone', () => {
  const { rig, broker } = standing();
  const others = [
    topicOf('zigbee2mqtt_0x1'),
    topicOf(`hearth_${'f'.repeat(16)}_node_n1`),
    topicOf(`hearth_${haCluster.slice(0, 16)}_node_a.b`),
    topicOf(`hearth_${haCluster.slice(0, 16)}_node_`),
    topicOf(`hearth_${haCluster.slice(0, 16)}_node_all`),
    topicOf(`hearth_${haCluster.slice(0, 16)}_disk_n1`),
    topicOf(`hearth_${haCluster.slice(0, 16)}_hub2`),
    topicOf(`x_hearth_${haCluster.slice(0, 16)}_hub`),
    nodeTopic('n1').replace('/device/', '/sensor/'),
    `${nodeTopic('n1')}/more`,
    `other/${nodeTopic('n1')}`,
  ];
  for (const topic of others) {
    if (topic !== others.at(-1)) assert.equal(ownObject(topic, haCluster), undefined, topic);
    for (const text of ['{}', '']) rig.ha.take('uplink', topic, Buffer.from(text), true);
  }
  rig.clock.advance(10 * minute);
  assert.deepEqual(broker.sent, []);
});

test('a stranger’s thousands of names, huge and broken payloads cost little and change nothing', () => {
  const { rig, broker } = standing();
  const payloads = [
    Buffer.alloc(256 * 1024, 'x'),
    Buffer.from([0xff, 0xfe, 0]),
    Buffer.from(`{"cmps":${'['.repeat(50_000)}`),
    Buffer.from('null'),
    Buffer.from('{"cmps":{"__proto__":{"p":"sensor","a":1}}}'),
  ];
  for (const payload of payloads) rig.ha.take('uplink', nodeTopic('n1'), payload, true);
  for (let index = 0; index < 20_000; index++) {
    rig.ha.take('uplink', nodeTopic(`g${index}`), Buffer.from('{}'), true);
  }
  rig.clock.advance(1000);
  // So many at a time, the right ones first.
  assert.ok(broker.sent.length <= 12 * boardTimes.atOnce, String(broker.sent.length));
  assert.equal(broker.sent[0]?.topic, nodeTopic('n1'));
  rig.clock.advance(10 * minute);
  assert.ok(broker.sent.length <= 5001, String(broker.sent.length));
  assert.ok(broker.sent.slice(1).every(({ text }) => text === ''));
  broker.take();
  rig.view = haView({ nodes: [haNode('n1'), haNode('n2')] });
  rig.ha.changed();
  rig.clock.advance(minute);
  assert.deepEqual(
    broker.sent.map(({ topic }) => topic),
    [nodeTopic('n2')],
  );
});

test('empty messages for things that were never announced are remembered nowhere', () => {
  const disk = new Map<string, string>();
  const rig = haRig({ disk });
  const broker = new FakeBroker('uplink');
  broker.connect(rig.ha, rig.clock);
  rig.clock.advance(2 * minute);
  const before = disk.size;
  for (let index = 0; index < 1000; index++) rig.ha.take('uplink', nodeTopic(`g${index}`), Buffer.alloc(0), true);
  assert.equal(disk.size, before);
  for (const bad of [
    'ha/removed/uplink',
    'ha/removed/nowhere/a',
    'ha/told/own/x/y',
    'ha/removed/uplink/a/device/b/config',
  ]) {
    disk.set(bad, 'NaN');
  }
  rig.ha.stop();
  const next = haRig({ disk, clock: rig.clock });
  next.clock.advance(minute);
});

test('components of a stranger’s text are names and platforms such as ours', () => {
  const text = JSON.stringify({
    cmps: {
      good: { p: 'sensor', a: 1 },
      gone: { p: 'sensor' },
      'no space': { p: 'sensor', a: 1 },
      Upper: { p: 'sensor', a: 1 },
      other: { p: 'camera', a: 1 },
      number: { p: 5, a: 1 },
      list: [1, 2],
    },
  });
  assert.deepEqual([...componentsOf(text)], [['good', 'sensor']]);
  const many = Object.fromEntries(
    Array.from({ length: 1000 }, (_, index) => [`a${'b'.repeat(index % 30)}`, { platform: 'sensor', a: index }]),
  );
  assert.ok(componentsOf(JSON.stringify({ components: many })).size <= 64);
  for (const bad of ['', 'null', '[]', '5', '"a"', '{"cmps":5}', '{"cmps":[{"p":"sensor"}]}']) {
    assert.equal(componentsOf(bad).size, 0);
  }
  assert.equal(componentsOf(JSON.stringify({ cmps: { a: { p: 'sensor', b: 'x'.repeat(64 * 1024) } } })).size, 0);
  assert.equal(withRemoved('{"cmps":{}}', new Map()), '{"cmps":{}}');
});

test('components that a stranger slipped in are removed from Home Assistant again', () => {
  const { rig, broker } = standing();
  const slipped = JSON.parse(broker.retained.get(nodeTopic('n1')) ?? '');
  slipped.cmps.evil = { p: 'sensor', uniq_id: 'evil', stat_t: 'evil' };
  broker.publish(nodeTopic('n1'), JSON.stringify(slipped));
  rig.clock.advance(2 * minute);
  const [first, second] = broker.sent.map(({ text }) => JSON.parse(text).cmps);
  assert.deepEqual(first.evil, { p: 'sensor' });
  assert.ok(!('evil' in second));
});

/** One thing that happens; the rest of the story is time. */
const happening = fc.oneof(
  fc.record({ what: fc.constant('nodes' as const), ids: fc.subarray(['n1', 'n2', 'n3']) }),
  fc.record({ what: fc.constant('rooms' as const), ids: fc.subarray(['study', 'attic']), name: fc.string() }),
  fc.record({
    what: fc.constant('delete' as const),
    topic: fc.constantFrom(hubTopic, roomTopic('study'), nodeTopic('n2')),
  }),
  fc.record({
    what: fc.constant('forge' as const),
    topic: fc.constantFrom(nodeTopic('n1'), nodeTopic('g')),
    text: fc.string(),
  }),
  fc.record({
    what: fc.constantFrom('birth' as const, 'cut' as const, 'back' as const, 'restart' as const, 'rediscover' as const),
  }),
  fc.record({ what: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 90_000 }) }),
);

test('whatever happens in whatever order: in the end there is what there should be, and no topic was written in haste', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40 }), fc.boolean(), (story, echoes) => {
      const disk = new Map<string, string>();
      const broker = new FakeBroker('uplink', echoes);
      let rig = haRig({ disk });
      let connected = true;
      broker.connect(rig.ha, rig.clock);
      const lives: number[] = [];
      for (const step of story) {
        if (step.what === 'nodes') rig.view = { ...rig.view, nodes: step.ids.map(id => haNode(id)) };
        else if (step.what === 'rooms')
          rig.view = { ...rig.view, rooms: step.ids.map(id => ({ id, name: step.name })) };
        else if (step.what === 'delete') broker.publish(step.topic, '');
        else if (step.what === 'forge') broker.publish(step.topic, step.text === '' ? '{}' : step.text);
        else if (step.what === 'birth') broker.birth();
        else if (step.what === 'rediscover') rig.ha.rediscover();
        else if (step.what === 'cut') {
          broker.disconnect();
          connected = false;
        } else if (step.what === 'back') {
          if (connected) continue;
          broker.connect(rig.ha, rig.clock);
          lives.push(rig.clock.now());
          connected = true;
        } else if (step.what === 'restart') {
          rig.ha.stop();
          broker.disconnect();
          rig = haRig({ disk, clock: rig.clock, view: rig.view });
          broker.connect(rig.ha, rig.clock);
          lives.push(rig.clock.now());
          connected = true;
        } else if ('ms' in step) rig.clock.advance(step.ms);
        rig.ha.changed();
      }
      if (!connected) broker.connect(rig.ha, rig.clock);
      rig.ha.changed();
      rig.clock.advance(10 * minute);
      const removed = new Set(
        [...disk.keys()].filter(key => key.startsWith('ha/removed/uplink/')).map(key => key.slice(18)),
      );
      const wanted = [
        hubTopic,
        ...rig.view.rooms.map(({ id }) => roomTopic(id)),
        ...rig.view.nodes.map(({ id }) => nodeTopic(id)),
      ];
      assert.deepEqual(
        [...broker.retained.keys()].filter(topic => topic.startsWith('homeassistant/device/')).sort(),
        wanted.filter(topic => !removed.has(topic)).sort(),
      );
      for (const topic of removed) assert.ok(wanted.includes(topic), `${topic} is remembered though it is gone`);
      for (const [topic, text] of broker.retained) {
        if (topic !== 'homeassistant/status') assert.deepEqual(readDiscovery(topic, text).wrong, []);
      }
      const last = new Map<string, number>();
      for (const { at, topic, text } of broker.sent) {
        const before = last.get(topic);
        const reconnected = lives.some(life => before !== undefined && before <= life && life <= at);
        if (before !== undefined && text !== '' && !reconnected) assert.ok(at - before >= boardTimes.debounceMs, topic);
        last.set(topic, at);
      }
      assert.equal(rig.clock.pending, 0);
    }),
    { numRuns: 200 },
  );
});

test.run();
