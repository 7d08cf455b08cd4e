/** What only the bus on an outside broker has to live through: a broker that is away, old, silent, or says no. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'uvu';
import { connectOutsideBus } from '../../../broker/mqtt/outside.ts';
import type { Clock } from '../../../shared/clock.ts';
import { silentLog } from '../../../shared/log.ts';
import { systemClock, systemRandom } from '../../../shared/system-clock.ts';
import { type Mosquitto, startMosquitto } from '../../fixture/mosquitto.ts';
import { folder, freePort, until } from '../../fixture/processes.ts';
import { findProgram, testWith } from '../../fixture/programs.ts';
import { Listener, textOf } from './listener.ts';
import { Peer } from './peer.ts';
import { type FiveIs, startProxy, type TcpProxy } from './proxy.ts';
import { base, outsideBus } from './rig.ts';

const filter = 'hearth/node/+/set/#';

/** Everything in it goes `factor` times as fast as the world: for limits of ten seconds. */
function fastClock(factor: number): Clock {
  const real = systemClock();
  return { now: () => real.now() * factor, wall: real.wall, after: (ms, fn) => real.after(ms / factor, fn) };
}

interface Scene {
  readonly mosquitto: Mosquitto;
  readonly proxy: TcpProxy;
  readonly listener: Listener;
  peer(): Promise<Peer>;
}

interface SceneOptions {
  readonly settings?: readonly string[];
  readonly five?: FiveIs;
  readonly clock?: Clock;
  readonly username?: string;
  readonly password?: string;
}

/** Mosquitto, a proxy before it, and the bus on the proxy; the peers go to Mosquitto itself. */
async function scene(options: SceneOptions, run: (scene: Scene) => Promise<void>): Promise<void> {
  const mosquitto = await startMosquitto(options.settings);
  const proxy = await startProxy(mosquitto.port, options.five);
  const { clock = systemClock(), username, password } = options;
  const credentials = { ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
  const listener = new Listener(
    connectOutsideBus({ url: proxy.url, base, log: silentLog, clock, random: systemRandom(), ...credentials }),
  );
  const peers: Peer[] = [];
  const peer = async () => {
    const fresh = await Peer.connect(mosquitto.port, credentials);
    peers.push(fresh);
    return fresh;
  };
  try {
    await run({ mosquitto, proxy, listener, peer });
  } finally {
    await listener.stop();
    for (const each of peers) each.client.end(true);
    await proxy.close();
    await mosquitto.process.stop();
  }
}

export function outsideLifeCases(suite: Test): void {
  const test = (name: string, run: () => Promise<void>, needs: readonly string[] = []) =>
    testWith(suite, ['mosquitto', ...needs], `outside: ${name}`, run);

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
        proxy.cut();
        await listener.event('up', 2);
      }));
  }

  test('a broker that takes connections and says nothing is given up after 10 s', () =>
    scene({ clock: fastClock(20) }, async ({ listener, proxy }) => {
      proxy.freeze();
      listener.bus.start([filter], listener);
      const { reason } = await listener.event('down');
      assert.match(reason, /no answer to CONNECT within 10 s/);
      proxy.thaw();
      await listener.event('up');
    }));

  test('a link that dies without a word is noticed by its silence, and an idle one is not', () =>
    scene({ clock: fastClock(20) }, async ({ listener, proxy, mosquitto }) => {
      await listener.start(filter);
      // Idle for three times the limit: pings alone must keep it up.
      const from = performance.now();
      await until('1.5 s of idleness', () => performance.now() - from > 1500);
      assert.deepEqual(listener.eventsOf('down'), []);
      proxy.freeze();
      const { reason } = await listener.event('down');
      assert.match(reason, /no sign of life for 10 s/);
      proxy.thaw();
      await listener.event('up', 2);
      assert.equal(mosquitto.process.output().match(/New client connected/g)?.length, 2);
    }));

  test('user name and password: right, wrong, none', async () => {
    const file = join(folder(), 'passwords');
    writeFileSync(file, '');
    const made = spawnSync(findProgram('mosquitto_passwd') ?? '', ['-b', file, 'hearth', 'p@ss:w/rd']);
    assert.equal(made.status, 0, `${made.stderr}`);
    const mosquitto = await startMosquitto(['allow_anonymous false', `password_file ${file}`, 'user root']);
    const { port } = mosquitto;
    try {
      const right = new Listener(outsideBus(`mqtt://hearth:p%40ss%3Aw%2Frd@127.0.0.1:${port}`));
      await right.start(filter);
      await right.stop();
      const given = new Listener(outsideBus(mosquitto.url, { username: 'hearth', password: 'p@ss:w/rd' }));
      await given.start(filter);
      await given.stop();
      for (const url of [`mqtt://hearth:secret-guess@127.0.0.1:${port}`, mosquitto.url]) {
        const wrong = new Listener(outsideBus(url));
        wrong.bus.start([filter], wrong);
        const { reason } = await wrong.event('down');
        assert.match(reason, /^broker mqtt:\/\/127\.0\.0\.1:\d+: (not authorised|user name or password are wrong)/);
        assert.ok(!reason.includes('secret-guess'));
        await wrong.stop();
      }
    } finally {
      await mosquitto.process.stop();
    }
  }, ['mosquitto_passwd']);

  test("a publish that the broker's access rules refuse is told through done, on MQTT 5", async () => {
    const acl = join(folder(), 'acl');
    writeFileSync(acl, 'topic readwrite hearth/#\n');
    await scene({ settings: [`acl_file ${acl}`, 'user root'] }, async ({ listener }) => {
      await listener.start(filter);
      await assert.rejects(listener.publish('elsewhere/x', 'x'), /elsewhere\/x was not sent: .*Not authorized/);
      await listener.publish('hearth/status', 'online');
    });
  });

  test('a message the broker will not take does not hold up the others', () =>
    scene({ settings: ['max_packet_size 2000'] }, async ({ listener, peer }) => {
      await listener.start(filter);
      const watcher = await peer();
      await watcher.subscribe('hearth/event');
      const before = listener.publish('hearth/event', 'before');
      const large = listener.publish('hearth/event', 'x'.repeat(4000));
      const after = listener.publish('hearth/event', 'after');
      await assert.rejects(large, /the broker takes packets up to 2000 bytes/);
      await Promise.all([before, after]);
      await watcher.message('hearth/event', 'after');
      assert.equal(listener.eventsOf('down').length, 0);
    }));

  test('one that makes a 3.1.1 broker close is given up after three broken connections, and takes no others along', () =>
    scene({ settings: ['max_packet_size 2000'], five: 'refused' }, async ({ listener, peer }) => {
      await listener.start(filter);
      const watcher = await peer();
      await watcher.subscribe('hearth/event');
      const others = ['a', 'b'].map(text => listener.publish('hearth/event', text));
      const large = listener.publish('hearth/event', 'x'.repeat(4000));
      others.push(...['c', 'd'].map(text => listener.publish('hearth/event', text)));
      await assert.rejects(large, /broke 3 times/);
      await Promise.all(others);
      await watcher.message('hearth/event', 'd');
      assert.deepEqual([...new Set(watcher.payloads('hearth/event'))], ['a', 'b', 'c', 'd']);
    }));

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

  test('an address that cannot be one is refused in one sentence, without its password', () => {
    for (const url of ['nonsense', 'http://h:1883', 'mqtt://', 'mqtt://user:hunter2@h:port']) {
      assert.throws(
        () => outsideBus(url),
        (error: Error) => /no broker's address: use mqtt:/.test(error.message) && !error.message.includes('hunter2'),
      );
    }
    return Promise.resolve();
  });

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
}
