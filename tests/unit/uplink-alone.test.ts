/** Who else may be on the user's broker: another Hearth, or this one itself by another name. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { mirroredBus } from '../../broker/uplink/uplink-part.ts';
import type { Bus, BusHandlers } from '../../shared/bus.ts';
import { manualClock } from '../fixture/manual-clock.ts';
import { memoryBroker } from '../fixture/memory-bus.ts';
import { leadingUplink, uplinkRig } from '../fixture/uplink-rig.ts';

const test = suite('uplink, alone or not');

const retain = { retain: true } as const;

/** A bus whose handlers are called by hand. */
function heldBus(): { readonly bus: Bus; handlers(): BusHandlers } {
  let held: BusHandlers | undefined;
  const bus: Bus = {
    kind: 'embedded',
    start: (_filters, handlers) => {
      held = handlers;
    },
    also() {},
    publish() {},
    kick() {},
    stop: done => done(),
  };
  return {
    bus,
    handlers() {
      assert.ok(held);
      return held;
    },
  };
}

test('of two Hearths on one base the second is silent, says so, and comes when the first is gone', () => {
  const broker = memoryBroker('outside');
  const clock = manualClock();
  const first = leadingUplink({ broker, clock });
  clock.advance(10_000);
  const second = uplinkRig({ broker, clock, cluster: 'b'.repeat(32) });
  second.uplink.mirror('hearth/room/study/is', 'of the second', retain);
  second.uplink.start();
  clock.advance(5000);
  assert.equal(second.said.length, 1);
  assert.match(second.said[0] ?? '', /^another Hearth \(its cluster is a{32}\) is on the base "hearth"/);
  assert.equal(broker.retained.has('hearth/room/study/is'), false);
  second.say('hearth/room/study/set/target_c', '20');
  assert.deepEqual([first.commands.length, second.commands.length], [1, 0]);
  assert.deepEqual(first.said, ['up']);
  first.uplink.stop(() => {});
  clock.advance(65_000);
  assert.equal(second.said[1], 'up');
  assert.equal(broker.retained.get('hearth/room/study/is'), 'of the second');
});

test('commands that come while it asks whether it is alone are carried out once it knows', () => {
  const { uplink, clock, commands, say } = uplinkRig();
  uplink.start();
  say('hearth/room/study/set/target_c', '20');
  assert.equal(commands.length, 0);
  clock.advance(2000);
  assert.equal(commands.length, 1);
});

test('a hello that says nothing changes nothing', () => {
  const { broker, said, say } = leadingUplink();
  for (const text of ['', '{', '{"boot":1}', 'x'.repeat(5000), JSON.stringify({ cluster: 'c', boot: 'x' })])
    say('hearth/hello', text);
  say('hearth/hello', '{}', true);
  assert.deepEqual(said, ['up']);
  assert.equal(broker.retained.get('hearth/status'), 'online');
});

test('another name of the broker that Hearth runs on: it comes out at the first connection, and nothing was said', () => {
  const broker = memoryBroker('outside');
  const clock = manualClock();
  const { uplink, said, say, commands } = uplinkRig({ broker, clock, url: 'mqtt://hearth:s3cret@other-name:1884' });
  const bus = mirroredBus(broker.bus(), uplink);
  const heard: string[] = [];
  bus.start(['hearth/hello', 'hearth/room/+/set/#'], {
    message: ({ topic }) => void heard.push(topic),
    up() {},
    down() {},
  });
  uplink.mirror('hearth/room/study/is', '{"a":1}', { retain: true });
  uplink.start();
  say('hearth/room/study/set/target_c', '21');
  clock.advance(5000);
  assert.match(
    said[0] ?? '',
    /^looped: the uplink's broker mqtt:\/\/other-name:1884 is the one that Hearth itself runs on/,
  );
  assert.match(said[0] ?? '', /leave --uplink out/);
  assert.ok(!said.join().includes('s3cret'));
  assert.deepEqual(broker.retained.size, 0);
  // Once, by the supervisor, and the uplink's hello is no rival's.
  assert.deepEqual(heard, ['hearth/room/study/set/target_c']);
  assert.deepEqual(commands, []);
});

test('the embedded broker refuses the hello of an uplink: that tells it, too', () => {
  const { uplink, said, broker, clock } = uplinkRig();
  const refused: string[] = [];
  const home = heldBus();
  mirroredBus(home.bus, uplink).start([], {
    message() {},
    up() {},
    down() {},
    refused: ({ topic }) => void refused.push(topic),
  });
  uplink.start();
  const hello = broker.published.find(({ topic }) => topic === 'hearth/hello');
  const payload = Buffer.from(hello?.text ?? '');
  home.handlers().refused?.({ topic: 'hearth/node/n1/is', payload, qos: 1, retain: false }, 'no');
  home.handlers().refused?.({ topic: 'hearth/hello', payload: Buffer.from('{}'), qos: 1, retain: false }, 'no');
  assert.deepEqual([said, refused], [[], ['hearth/node/n1/is', 'hearth/hello']]);
  home.handlers().refused?.({ topic: 'hearth/hello', payload, qos: 1, retain: false }, 'no');
  assert.match(said[0] ?? '', /^looped: /);
  assert.equal(refused.length, 2);
  clock.advance(5000);
  assert.equal(broker.retained.size, 0);
});

test('a bridge that is made later: it falls silent, says why, and asks again; nothing ends', () => {
  const { uplink, said, say, clock, broker } = leadingUplink();
  const hello = (boot: string) =>
    JSON.stringify({ cluster: 'a'.repeat(32), boot, gen: 1, rev: 1, ver: '1', proto: 1, at_ms: 0 });
  clock.advance(60_000);
  uplink.saidAtHome('hearth/hello', hello('of-the-supervisor'));
  const payload = Buffer.from(hello('of-the-supervisor'));
  broker.deliver({ topic: 'hearth/hello', payload, qos: 1, retain: true });
  assert.deepEqual(said, ['up']);
  say('hearth/hello', hello('of-the-supervisor'));
  assert.equal(said.length, 2);
  assert.match(
    said[1] ?? '',
    /^the uplink's broker .* or a bridge joins the two: .* keep hearth\/# out of the bridge$/,
  );
  uplink.mirror('hearth/room/study/is', '1', { retain: true });
  assert.equal(broker.count('hearth/room/study/is'), 0);
  clock.advance(65_000);
  assert.equal(said[2], 'up');
  assert.equal(broker.count('hearth/room/study/is'), 1);
});

test.run();
