/** Further filters of a bus: which of them are heard, and that the buses of tests and of the simulator do as the real ones. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { type Bus, type BusMessage, mostAlso } from '../../shared/bus.ts';
import { beside, whyNotHeard } from '../../shared/bus-filters.ts';
import { covers, matches } from '../../shared/topics.ts';
import { memoryBroker } from '../fixture/memory-bus.ts';
import { Broker, Message } from '../sim/broker.ts';
import { EmbeddedBus, OutsideBus } from '../sim/bus.ts';
import { Process } from '../sim/clock.ts';
import { Path } from '../sim/network.ts';
import { World } from '../sim/world.ts';

const test = suite('bus also');

const level = fc.constantFrom('a', 'b', '', '$s');
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map(levels => levels.join('/'));
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 3 }), fc.constantFrom('a', 'b', '+', '#', '$s'))
  .map(([levels, last]) => [...levels, last].join('/'));

test('a filter that covers another matches all of its topics, and covering is found where there are no $ topics', () => {
  fc.assert(
    fc.property(filter, filter, topic, (wide, narrow, name) => {
      if (covers(wide, narrow) && matches(narrow, name)) assert.ok(matches(wide, name), `${wide} ${narrow} ${name}`);
      if (covers(wide, narrow) && covers(narrow, wide)) assert.equal(wide, narrow);
    }),
  );
  for (const [wide, narrow] of [
    ['#', 'a'],
    ['#', '+/a'],
    ['a/#', 'a'],
    ['a/#', 'a/+/b'],
    ['a/+', 'a/b'],
    ['+/+', '+/b'],
    ['a', 'a'],
  ] as const) {
    assert.ok(covers(wide, narrow), `${wide} covers ${narrow}`);
  }
  for (const [wide, narrow] of [
    ['#', '$SYS/a'],
    ['+/a', '$SYS/a'],
    ['a/+', 'a/#'],
    ['a/b', 'a/+'],
    ['a/+', 'a'],
    ['a', 'a/b'],
    ['a/+/c', 'a/b/+'],
  ] as const) {
    assert.ok(!covers(wide, narrow), `${wide} does not cover ${narrow}`);
  }
});

test('whatever is wanted: every valid topic is matched by exactly what is subscribed to, none lies within another', () => {
  fc.assert(
    fc.property(
      fc.array(filter),
      fc.array(fc.oneof(filter, fc.string({ unit: 'binary' }))),
      topic,
      (fixed, wanted, name) => {
        const { hear, refused } = beside(fixed, wanted);
        const valid = wanted.filter(one => whyNotHeard(one) === undefined);
        const all = [...new Set([...fixed, ...hear])];
        assert.equal(
          all.some(one => matches(one, name)),
          [...fixed, ...valid].some(one => matches(one, name)),
        );
        for (const one of hear) assert.ok(!all.some(other => other !== one && covers(other, one)));
        assert.ok(wanted.every(one => valid.includes(one) || refused.has(one)));
      },
    ),
  );
});

test('more than a thousand are told, not heard', () => {
  const wanted = Array.from({ length: mostAlso + 5 }, (_, index) => `t/${index}`);
  const { hear, refused } = beside([], wanted);
  assert.equal(hear.length, mostAlso);
  assert.deepEqual([...refused.keys()], wanted.slice(mostAlso));
  assert.match(refused.get('t/1000') ?? '', /more than 1000/);
});

interface Scene {
  readonly bus: Bus;
  publish(topic: string, text: string, retain?: boolean): void;
  /** Until nothing more happens. */
  settle(): void;
  /** Outside: the connection breaks and comes back. */
  breaks?(meanwhile: () => void): void;
}

function memoryScene(kind: 'embedded' | 'outside'): Scene {
  const broker = memoryBroker(kind);
  const other = broker.connect('other');
  return {
    bus: broker.bus(),
    publish(topic, text, retain = false) {
      other.publish(topic, text);
      if (retain) broker.retained.set(topic, text);
    },
    settle() {},
    ...(kind === 'outside' && {
      breaks(meanwhile: () => void) {
        broker.setUp(false);
        meanwhile();
        broker.setUp(true);
      },
    }),
  };
}

function simulatedScene(kind: 'embedded' | 'outside'): Scene {
  const world = new World({ seed: 3, kind });
  const process = new Process('hq', world.timeline, world.dice.machines, 0, () => {});
  const broker = new Broker(world, kind, process, new Map());
  broker.listening = true;
  const path = new Path();
  world.brokerAt = () => broker;
  const settle = () => {
    for (let end = world.timeline.now + 60_000; world.timeline.step(end); );
  };
  return {
    bus:
      kind === 'embedded' ? new EmbeddedBus(world, process, broker) : new OutsideBus(world, process, path, 'hq', true),
    publish: (topic, text, retain = false) => broker.publish(new Message(topic, text, 1, retain), 'person'),
    settle,
    ...(kind === 'outside' && {
      breaks(meanwhile: () => void) {
        path.cutUp = path.cutDown = true;
        world.network.review();
        settle();
        meanwhile();
        path.cutUp = path.cutDown = false;
        world.network.review();
        settle();
      },
    }),
  };
}

const scenes = {
  'in memory, embedded': () => memoryScene('embedded'),
  'in memory, outside': () => memoryScene('outside'),
  'simulated, embedded': () => simulatedScene('embedded'),
  'simulated, outside': () => simulatedScene('outside'),
};

for (const [name, open] of Object.entries(scenes)) {
  test(`${name}: heard beside, once each, replaced, with retained copies, over breaks`, () => {
    const { bus, publish, settle, breaks } = open();
    const heard: string[] = [];
    const message = ({ topic, payload, retain }: BusMessage) =>
      void heard.push(`${topic} ${Buffer.from(payload)}${retain ? ' retained' : ''}`);
    const taken = () => {
      settle();
      return heard.splice(0).sort();
    };
    publish('a/t', 'old', true);
    bus.also(['a/t']);
    bus.start(['hearth/node/+/set/#'], { message, up() {}, down() {} });
    assert.deepEqual(taken(), ['a/t old retained']);
    publish('b/t', 'kept', true);
    bus.also(['a/t', 'b/t', 'b/+', 'hearth/node/n1/set/a', '\u0000']);
    assert.deepEqual(taken(), ['b/t kept retained']);
    for (const topic of ['a/t', 'b/t', 'c/t', 'hearth/node/n1/set/a']) publish(topic, 'x');
    assert.deepEqual(taken(), ['a/t x', 'b/t x', 'hearth/node/n1/set/a x']);
    bus.also(['c/t']);
    settle();
    for (const topic of ['a/t', 'b/t', 'c/t', 'hearth/node/n1/set/a']) publish(topic, 'y');
    assert.deepEqual(taken(), ['c/t y', 'hearth/node/n1/set/a y']);
    if (!breaks) return;
    breaks(() => bus.also(['d/t']));
    taken();
    for (const topic of ['c/t', 'd/t']) publish(topic, 'z');
    assert.deepEqual(taken(), ['d/t z']);
  });
}

test.run();
