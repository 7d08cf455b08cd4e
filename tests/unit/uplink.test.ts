/** The uplink on a broker in memory, in virtual time: what goes there, what comes back, and what never does. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { ownBroker } from '../fixture/access-contract.ts';
import { memoryBroker } from '../fixture/memory-bus.ts';
import { leadingUplink, uplinkRig } from '../fixture/uplink-rig.ts';

const test = suite('uplink');

const retain = { retain: true } as const;

test('what is retained goes there, the newest only, and "online" comes last', () => {
  const { uplink, broker, clock } = uplinkRig();
  uplink.mirror('hearth/room/study/is', '{"a":1}', retain);
  uplink.mirror('hearth/room/study/is', '{"a":2}', retain);
  uplink.mirror('hearth/node/n1/status', 'online', retain);
  uplink.start();
  clock.advance(2000);
  assert.equal(broker.retained.get('hearth/room/study/is'), '{"a":2}');
  assert.equal(broker.retained.get('hearth/node/n1/status'), 'online');
  assert.equal(broker.retained.get('hearth/status'), 'online');
  assert.equal(broker.count('hearth/room/study/is'), 1);
  assert.equal(broker.published.at(-1)?.topic, 'hearth/status');
});

test('the same again is not sent again', () => {
  const { uplink, broker } = leadingUplink();
  for (let round = 0; round < 3; round++) uplink.mirror('hearth/room/study/is', '{"a":1}', retain);
  assert.equal(broker.count('hearth/room/study/is'), 1);
});

test('what must stay at home does', () => {
  const { uplink, broker } = leadingUplink();
  const before = broker.published.length;
  for (const topic of [
    ...['cmd', 'want', 'work', 'done', 'own', 'lwt', 'result', 'log/x', 'set/drain'].map(
      part => `hearth/node/n1/${part}`,
    ),
    ...[
      'hearth/room/study/own',
      'hearth/job/j/is',
      'hearth/role/all/own',
      'hearth/event',
      'hearth/audit',
      'hearth/hello',
    ],
    'other/room/study/is',
  ]) {
    uplink.mirror(topic, 'secret', retain);
    uplink.mirror(topic, 'secret');
  }
  assert.equal(broker.published.length, before);
});

test('after the broker was away everything is said again, and what is gone is removed', () => {
  const { uplink, broker, said, clock } = leadingUplink();
  uplink.mirror('hearth/room/study/is', '1', retain);
  uplink.mirror('hearth/node/n1/info', '{}', retain);
  broker.setUp(false);
  uplink.mirror('hearth/room/study/is', '2', retain);
  uplink.mirror('hearth/node/n1/info', '', retain);
  uplink.mirror('hearth/node/n1/load', '{}', { qos: 0 });
  uplink.mirror('hearth/room/study/result', '{"ok":true}');
  clock.advance(5000);
  assert.equal(broker.retained.get('hearth/room/study/is'), '1');
  broker.setUp(true);
  assert.equal(broker.retained.get('hearth/room/study/is'), '2');
  assert.equal(broker.retained.has('hearth/node/n1/info'), false);
  assert.equal(broker.retained.get('hearth/status'), 'online');
  assert.equal(broker.count('hearth/node/n1/load'), 0);
  assert.equal(broker.count('hearth/room/study/result'), 1);
  assert.deepEqual(said, ['up', 'test', 'up']);
});

test('an answer that waited more than a minute is lost', () => {
  const { uplink, broker, clock } = leadingUplink();
  broker.setUp(false);
  uplink.mirror('hearth/room/study/result', '{"ok":true}');
  clock.advance(61_000);
  broker.setUp(true);
  assert.equal(broker.count('hearth/room/study/result'), 0);
  assert.equal(uplink.dropped, 1);
});

test('telemetry goes over every ten seconds for each node', () => {
  const { uplink, broker, clock } = leadingUplink();
  for (let second = 0; second < 60; second += 5) {
    for (const node of ['n1', 'n2']) uplink.mirror(`hearth/node/${node}/load`, `${second}`, { qos: 0 });
    clock.advance(5000);
  }
  assert.equal(broker.count('hearth/node/n1/load'), 6);
  assert.equal(broker.count('hearth/node/n2/load'), 6);
});

test('commands and readings come back, and nothing else does', () => {
  const { commands, say } = leadingUplink();
  const taken = [
    'hearth/room/study/set/target_c',
    'hearth/room/study/set/mode',
    'hearth/room/study/set/preset',
    'hearth/room/study/set/max_w',
    'hearth/room/study/in/temp_c',
    'hearth/node/n1/set/drain',
    'hearth/node/n1/set/agent',
    ...['identify', 'reboot', 'wake', 'drain', 'resume'].map(verb => `hearth/node/n1/do/${verb}`),
  ];
  for (const topic of taken) say(topic, topic.endsWith('/agent') ? 'follow' : 'x');
  for (const topic of [
    // It names a program by its hash, as anything but "follow" does.
    'hearth/node/n1/set/agent',
    'hearth/node/n1/set/agent/sha256',
    // It names a command that nodes would run.
    'hearth/room/study/set/filler',
    'hearth/room/study/set/filler/run',
    'hearth/room/study/set',
    'hearth/room/study/do/forget',
    'hearth/node/n1/do/exec',
    'hearth/node/n1/do/shutdown',
    'hearth/node/all/do/reboot',
    'hearth/node/@gpu/do/reboot',
    'hearth/node/all/set/drain',
    'hearth/node/n1/set/services/x',
    'hearth/node/n1/set/drain/x',
    'hearth/node/n1/cmd',
    'hearth/node/n1/want',
    'hearth/node/n1/work',
    'hearth/job/j/set',
    'hearth/role/all/set/drain',
  ])
    say(topic, 'x');
  assert.deepEqual(
    commands.map(({ topic }) => topic),
    taken,
  );
});

test('what comes back is what a login for Home Assistant may do on the own broker, and it sees no more here than there', () => {
  const { commands, say, uplink, broker } = leadingUplink();
  const below = ownBroker.filter(([topic]) => topic.startsWith('hearth/'));
  // A reading of something else than a room means nothing anywhere.
  const asks = below.filter(
    ([topic, writers]) => writers.includes('integration') && !/^hearth\/(?!room).*\/in\//.test(topic),
  );
  for (const [topic] of below) say(topic, 'x');
  assert.deepEqual(
    commands.map(({ topic }) => topic),
    asks.map(([topic]) => topic),
  );
  const before = broker.published.length;
  for (const [topic, , readers] of below) if (!readers.includes('integration')) uplink.mirror(topic, 'secret', retain);
  assert.equal(broker.published.length, before);
});

test('a response topic is not handed on: it is on another broker than the answer', () => {
  const { broker, commands } = leadingUplink();
  const payload = Buffer.from('21');
  broker.deliver({ topic: 'hearth/room/study/set/target_c', payload, qos: 1, retain: false, respond: { topic: 'x' } });
  assert.deepEqual(commands, [{ topic: 'hearth/room/study/set/target_c', payload, qos: 1, retain: false }]);
});

test('a retained command is answered and removed, not run; its removal is no command either', () => {
  const { broker, commands, say } = leadingUplink();
  say('hearth/room/study/set/target_c', '25', true);
  broker.setUp(false);
  broker.setUp(true);
  assert.deepEqual(
    commands.filter(({ retain }) => retain),
    [],
  );
  assert.equal(broker.retained.has('hearth/room/study/set/target_c'), false);
  const answer = broker.last<{ ok: boolean; error: string; part: string; key: string }>('hearth/room/study/result');
  assert.equal(answer?.ok, false);
  assert.match(answer?.error ?? '', /^retained: not run/);
  assert.equal(commands.filter(({ payload }) => payload.length === 0).length, 0);
});

test('a message above 256 kB is no command', () => {
  const { commands, say } = leadingUplink();
  say('hearth/room/study/in/temp_c', 'x'.repeat(256 * 1024 + 1));
  assert.deepEqual(commands, []);
});

test('what an earlier life left is removed after half a minute, what is there again is not', () => {
  const broker = memoryBroker('outside');
  for (const topic of ['room/old/is', 'room/old/status', 'node/old/info', 'node/n1/info', 'node/old/cmd'])
    broker.retained.set(`hearth/${topic}`, 'x');
  broker.retained.set('other/room/old/is', 'x');
  const { uplink, clock } = leadingUplink({ broker });
  clock.advance(20_000);
  uplink.mirror('hearth/node/n1/info', '{}', retain);
  clock.advance(20_000);
  const left = [...broker.retained.keys()].sort();
  assert.deepEqual(left, ['hearth/node/n1/info', 'hearth/node/old/cmd', 'hearth/status', 'other/room/old/is']);
});

test('further topics are heard, with the retain flag as it came', () => {
  const { uplink, broker, heard, say } = leadingUplink();
  broker.retained.set('zigbee2mqtt/study', '{"temperature":20}');
  uplink.also(['zigbee2mqtt/study', 'homeassistant/status']);
  say('homeassistant/status', 'online');
  say('other', 'x');
  assert.deepEqual(heard, [
    ['zigbee2mqtt/study', '{"temperature":20}', true],
    ['homeassistant/status', 'online', false],
  ]);
});

test('discovery goes out while it is there, and is not kept', () => {
  const { uplink, broker } = leadingUplink();
  uplink.outlet.publish('homeassistant/device/x/config', '{}', { retain: true, qos: 1 });
  broker.setUp(false);
  uplink.outlet.publish('homeassistant/device/y/config', '{}', { retain: true, qos: 1 });
  broker.setUp(true);
  assert.equal(broker.count('homeassistant/device/x/config'), 1);
  assert.equal(broker.count('homeassistant/device/y/config'), 0);
});

test('the late will of an earlier connection is put right', () => {
  const { broker, say } = leadingUplink();
  say('hearth/status', 'offline', true);
  assert.equal(broker.retained.get('hearth/status'), 'online');
});

test('at the end it says so, and nothing more', () => {
  const { uplink, broker, say, commands } = leadingUplink();
  let done = 0;
  uplink.stop(() => done++);
  assert.equal(broker.retained.get('hearth/status'), 'offline');
  const before = broker.published.length;
  uplink.mirror('hearth/room/study/is', '1', retain);
  say('hearth/room/study/set/target_c', '20');
  uplink.stop(() => done++);
  assert.deepEqual([done, broker.published.length, commands.length], [2, before, 0]);
});

test.run();
