/** What the bus on an outside broker has to live through: a broker that is away, comes back, is old, or falls silent. */
import assert from 'node:assert/strict';
import type { Clock } from '../../../shared/clock.ts';
import { systemClock } from '../../../shared/system-clock.ts';
import { manualClock } from '../../fixture/manual-clock.ts';
import { startMosquitto } from '../../fixture/mosquitto.ts';
import { freePort, until } from '../../fixture/processes.ts';
import { Listener, textOf } from './listener.ts';
import { Peer } from './peer.ts';
import { outsideBus } from './rig.ts';
import { filter, type RegisterOutside, scene } from './scene.ts';

/**
 * Everything in it goes `factor` times as fast as the world: for limits of ten seconds. What the broker has to answer
 * within such a limit it must still do in the world's time.
 */
function fastClock(factor: number): Clock {
  const real = systemClock();
  return { now: () => real.now() * factor, wall: real.wall, after: (ms, fn) => real.after(ms / factor, fn) };
}

export function outsideLifeCases(test: RegisterOutside): void {
  test('a broker that ends and comes back: down in one sentence, up again, subscriptions and QoS 1 messages intact', async () => {
    const port = await freePort();
    let mosquitto = await startMosquitto([], port);
    const listener = await new Listener(outsideBus(mosquitto.url)).start(filter);
    try {
      await mosquitto.process.stop('SIGKILL');
      const { reason } = await listener.event('down');
      assert.match(reason, /^broker mqtt:\/\/127\.0\.0\.1:\d+: [^\n]+$/);
      await assert.rejects(listener.publish('hearth/event', 'stale', { qos: 0 }), /no connection/);
      const waiting = ['1', '2', '3'].map(text =>
        listener.publish('hearth/node/n1/own', text, { qos: 1, retain: true }),
      );
      mosquitto = await startMosquitto([], port);
      await listener.event('up', 2, 30_000);
      await Promise.all(waiting);
      const peer = await Peer.connect(port);
      await peer.subscribe('hearth/node/n1/own');
      assert.equal(`${(await peer.message('hearth/node/n1/own')).payload}`, '3');
      await peer.publish('hearth/node/n1/set/a', 'x');
      await listener.heard('hearth/node/n1/set/a');
      assert.equal(listener.eventsOf('down').length, 1);
      await peer.end();
    } finally {
      await listener.stop();
      await mosquitto.process.stop();
    }
  });

  test('a broker that is not there yet: one down that says so, and up as soon as it is', async () => {
    const port = await freePort();
    const listener = new Listener(outsideBus(`mqtt://127.0.0.1:${port}`));
    listener.bus.start([filter], listener);
    const first = listener.publish('hearth/status', 'online', { qos: 1, retain: true });
    const { reason } = await listener.event('down');
    assert.match(reason, /connection refused.*is the broker running/);
    const mosquitto = await startMosquitto([], port);
    await listener.event('up', 1, 30_000);
    await first;
    assert.equal(listener.eventsOf('down').length, 1);
    await listener.stop();
    await mosquitto.process.stop();
  });

  test('cut in the middle of a burst: every QoS 1 message arrives, in order but for repetitions', () =>
    scene({}, async ({ listener, proxy, peer }) => {
      await listener.start(filter);
      const watcher = await peer();
      await watcher.subscribe('hearth/node/n1/result');
      const sent = Array.from({ length: 500 }, (_, i) => `${i}`);
      const done = sent.map(text => listener.publish('hearth/node/n1/result', text));
      await watcher.message('hearth/node/n1/result', '20');
      proxy.cut();
      await Promise.all(done);
      await watcher.message('hearth/node/n1/result', '499');
      const firsts = [...new Set(watcher.payloads('hearth/node/n1/result'))];
      assert.deepEqual(firsts, sent);
      await listener.event('up', 2);
    }));

  test('the will says offline when the connection breaks, and not after a stop', () =>
    scene({}, async ({ listener, proxy, peer, mosquitto }) => {
      await listener.start(filter);
      const watcher = await peer();
      await watcher.subscribe('hearth/status');
      await listener.publish('hearth/status', 'online', { qos: 1, retain: true });
      await watcher.message('hearth/status', 'online');
      proxy.cut();
      await watcher.message('hearth/status', 'offline');
      await listener.event('up', 2);
      await listener.publish('hearth/status', 'online', { qos: 1, retain: true });
      await listener.stop();
      // Mosquitto logs the end of the connection after it has dealt with a will.
      await mosquitto.process.line(/Client hearth_supervisor_[0-9a-f]+ disconnected\./);
      const late = await peer();
      await late.subscribe('hearth/status');
      const { payload, retain } = await late.message('hearth/status');
      assert.equal(`${payload} ${retain}`, 'online true');
    }));

  for (const five of ['refused', 'closed'] as const) {
    test(`a broker without MQTT 5 (CONNECT ${five}) is spoken to in 3.1.1, and nobody is told of a failure`, () =>
      scene({ five }, async ({ listener, proxy, peer }) => {
        await listener.start(filter);
        assert.deepEqual(listener.eventsOf('down'), []);
        const other = await peer();
        await other.publish('hearth/node/n1/set/a', 'x');
        await listener.heard('hearth/node/n1/set/a');
        assert.equal(proxy.accepted, 2);
        // Without No Local: its own messages are kept away all the same, and the same from somebody else is heard.
        await listener.publish('hearth/node/n1/set/b', 'same');
        await listener.publish('hearth/node/n1/set/c', '', { qos: 0, retain: true });
        await other.publish('hearth/node/n1/set/b', 'same');
        await other.publish('hearth/node/n1/set/d', 'x');
        await listener.heard('hearth/node/n1/set/d');
        const levels = listener.messages.map(({ topic }) => topic.at(-1));
        assert.deepEqual(levels, ['a', 'b', 'd']);
        proxy.cut();
        await listener.event('up', 2);
      }));
  }

  test('a broker that takes connections and says nothing is given up after 10 s', () =>
    scene({ clock: fastClock(4) }, async ({ listener, proxy }) => {
      proxy.freeze();
      listener.bus.start([filter], listener);
      const { reason } = await listener.event('down');
      assert.match(reason, /no answer to CONNECT within 10 s/);
      proxy.thaw();
      await listener.event('up');
    }));

  test('a link that dies without a word is noticed by its silence, and an idle one is not', () => {
    // Time passes here as the broker keeps up: a slow one is not silent.
    const clock = manualClock();
    return scene({ clock }, async ({ listener, proxy, mosquitto }) => {
      await listener.start(filter);
      // Idle for twice the limit: pings alone, every 4 s, must keep it up.
      for (let pings = 0; pings < 5; pings++) {
        const before = proxy.said;
        clock.advance(4000);
        await until('the ping is answered', () => proxy.said > before);
      }
      assert.deepEqual(listener.eventsOf('down'), []);
      proxy.freeze();
      clock.advance(12_000);
      const { reason } = await listener.event('down');
      assert.match(reason, /no sign of life for 10 s/);
      proxy.thaw();
      const { accepted } = proxy;
      await until('it tries again', () => {
        clock.advance(100);
        return proxy.accepted > accepted;
      });
      await listener.event('up', 2);
      // Mosquitto's log comes another way than its CONNACK.
      const connected = () => mosquitto.process.output().match(/New client connected/g)?.length ?? 0;
      await until('both are in the log', () => connected() >= 2);
      assert.equal(connected(), 2);
    });
  });

  test('stop during an attempt ends it', () =>
    scene({}, async ({ listener, proxy }) => {
      proxy.freeze();
      listener.bus.start([filter], listener);
      await until('the attempt', () => proxy.accepted === 1);
      const waiting = listener.publish('hearth/status', 'online').catch((error: Error) => error.message);
      await listener.stop();
      assert.match(`${await waiting}`, /stopped/);
      assert.deepEqual(listener.eventsOf('up'), []);
    }));

  test('a handler hears retained copies again at every connect', () =>
    scene({}, async ({ listener, proxy, peer }) => {
      const other = await peer();
      await other.publish('hearth/node/n1/set/a', 'kept', { retain: true });
      await listener.start(filter);
      assert.equal(textOf(await listener.heard('hearth/node/n1/set/a')), 'kept');
      proxy.cut();
      await listener.event('up', 2);
      await listener.count(2);
      assert.deepEqual(
        listener.messages.map(({ retain }) => retain),
        [true, true],
      );
    }));

  test('two messages in a row do not wait for a TCP acknowledgement (Nagle)', () =>
    scene({ settings: ['set_tcp_nodelay true'] }, async ({ listener }) => {
      await listener.start(filter);
      const times: number[] = [];
      for (let i = 0; i < 30; i++) {
        const from = performance.now();
        // Nothing answers QoS 0, so only a bare TCP acknowledgement could come.
        const first = listener.publish('hearth/event', 'one', { qos: 0 });
        // In a turn of its own, so that it is a write of its own.
        await new Promise(resolve => setImmediate(resolve));
        await Promise.all([first, listener.publish('hearth/event', 'two')]);
        times.push(performance.now() - from);
      }
      // With Nagle's algorithm each second one waits for a delayed acknowledgement, 40 ms on Linux; without it some
      // are quick on the busiest machine.
      assert.ok((times.sort((a, b) => a - b)[4] as number) < 20, `${times.map(time => time.toFixed(1))}`);
    }));
}
